"""Atomic writes: a reader finds the old file or the new file, never a part of one."""

import errno
import os
import tempfile
from pathlib import Path


def write_whole(path: Path, data: bytes, keep: bool = False) -> None:
    """Write a file atomically; create its folder if it is missing.

    keep: sync the data to disk first, so that the file survives a power failure. Raises OSError; then the
    old file is unchanged and no temporary file is left. A device or a pipe is not replaced by a file.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "It is a device or a pipe, and no file", str(path))
    if not path.name:  # "." or "/"
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(data)
            if keep:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except OSError as problem:
        problem.filename = problem.filename or str(path)  # a full disk names no file
        raise
    finally:
        draft.unlink(missing_ok=True)


def write_once(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, unless it exists; of two writers the first one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-") as draft:  # its mode is 0600
        draft.write(data)
        draft.flush()
        try:
            os.link(draft.name, path)
        except FileExistsError:
            return
