"""The user's cache folder: where it is, and how something gets into it whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from labsupport.settings import LabError


def folder() -> Path:
    """Where models are kept: PRUNING_LABS_CACHE, or the user's own cache folder."""
    named = os.environ.get("PRUNING_LABS_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("pruning-labs")


@contextlib.contextmanager
def whole_or_nothing(target: Path) -> Iterator[Path]:
    """A folder to fill, on the target's disk; it becomes `target` in one step when the block ends well.

    Whatever ends the block otherwise leaves nothing behind. A disk error becomes one LabError.
    """
    draft = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        yield draft
        if target.exists():  # a damaged one: a second process may have mended it meanwhile
            shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    except OSError as problem:
        raise LabError(
            f"Cannot write {target}: {problem.strerror or problem}. "
            "Free some space there, or set PRUNING_LABS_CACHE to another folder."
        ) from problem
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
