"""The user's cache folder, and atomic writes of folders into it."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout
from safetensors import SafetensorError

from labsupport.errors import LabError
from labsupport.progress import bar

ELSEWHERE = "Free some space there, or set PRUNING_LABS_CACHE to another folder."


def folder() -> Path:
    """The folder of stored models: PRUNING_LABS_CACHE, or the user's cache folder."""
    named = os.environ.get("PRUNING_LABS_CACHE")
    return Path(named).expanduser() if named else platformdirs.user_cache_path("pruning-labs")


@contextlib.contextmanager
def alone(target: Path) -> Iterator[None]:
    """A lock on this target for one process at a time; removes remains of killed processes first."""
    with _disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.parent / f".{target.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            with bar(what=f"wait for another process that makes {target.name}"):
                lock.acquire()
    try:
        for left in target.parent.glob(f".{target.name}-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def whole_or_nothing(target: Path, advice: str = ELSEWHERE) -> Iterator[Path]:
    """A draft folder on the target's disk; it becomes `target` in one step when the block succeeds.

    If the block fails, the draft is removed. A disk error becomes a LabError, which ends with the advice.
    """
    around = None
    try:
        with _disk_errors(target, advice):
            target.parent.mkdir(parents=True, exist_ok=True)
            around = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
            draft = around / "draft"  # mkdtemp's folder is private to this user, this one is not
            draft.mkdir()
            yield draft
            for path in draft.rglob("*"):  # safetensors also makes its files private
                path.chmod(draft.stat().st_mode & (0o777 if path.is_dir() else 0o666))
            if target.exists():
                shutil.rmtree(target)
            draft.rename(target)
    finally:
        if around is not None:
            shutil.rmtree(around, ignore_errors=True)


@contextlib.contextmanager
def _disk_errors(target: Path, advice: str = ELSEWHERE) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as problem:
        if isinstance(problem, SafetensorError) and "os error" not in str(problem):
            raise  # not a disk error
        reason = getattr(problem, "strerror", None) or str(problem).rpartition("error: ")[2]
        raise LabError(f"Cannot write {target}: {reason}. {advice}") from problem
