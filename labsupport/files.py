"""How a file is written: in one step, so that a reader finds the old one or the new one, never half of it."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, data: bytes, keep: bool = False) -> None:
    """Write a file atomically; its folder is made when it is missing.

    keep: have the disk confirm the data first, so that it outlives a power failure. Raises OSError; the file
    that was there before then still stands, and no draft is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(data)
            if keep:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_once(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, unless it is there; of two writers the first one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-") as draft:  # its mode is 0600
        draft.write(data)
        draft.flush()
        try:
            os.link(draft.name, path)
        except FileExistsError:
            return
