"""The user's cache folder, and atomic writes of folders into it."""

import contextlib
import os
import re
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


def own() -> Path:
    """The folder for what this user makes: beside the models, unless those are kept for many."""
    return folder() if keeper(folder()) is None else platformdirs.user_cache_path("pruning-labs")


def stored(name: str) -> Path:
    """Where the entry of this name is, or will be made: beside the models, or in the user's own folder."""
    place = folder() / name
    return place if place.exists() else own() / name


def keeper(path: Path) -> str | None:
    """Whose this path is, or the nearest folder above it that exists; None for this user's own."""
    if not hasattr(os, "getuid") or os.getuid() == 0:  # Windows; root may write everywhere
        return None
    there = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    return None if there.stat().st_uid == os.getuid() else there.owner()


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
def whole_or_nothing(target: Path, advice: str = ELSEWHERE, replace: bool = True) -> Iterator[Path]:
    """A draft folder on the target's disk; it becomes `target` in one step when the block succeeds.

    If the block fails, the draft is removed, and an old folder stays. replace: whether an old folder with
    something in it may go. A disk error becomes a LabError, which ends with the advice.
    """
    around = None
    try:
        with _disk_errors(target, advice):
            place = Path(os.path.realpath(target))  # a link stays a link
            place.parent.mkdir(parents=True, exist_ok=True)
            around = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
            draft = around / "draft"  # mkdtemp's folder is private to this user, this one is not
            draft.mkdir()
            yield draft
            for path in draft.rglob("*"):  # safetensors also makes its files private
                path.chmod(draft.stat().st_mode & (0o777 if path.is_dir() else 0o666))
            _put(draft, place, around / "old" if replace else None)
    finally:
        if around is not None:
            shutil.rmtree(around, ignore_errors=True)


def remains(place: Path) -> list[Path]:
    """The folders around drafts that killed processes left beside a place, and nobody else's folders."""
    name = re.compile(re.escape(f".{place.name}-") + r"\w{8}")  # as mkdtemp makes it
    return [
        each
        for each in place.parent.iterdir()
        if name.fullmatch(each.name) and {part.name for part in each.iterdir()} <= {"draft", "old"}
    ]


def _put(draft: Path, place: Path, old: Path | None) -> None:
    """Rename a draft; what is there is moved to `old` first, or, if that is None, must be an empty folder."""
    try:
        if place.exists():
            place.rmdir() if old is None else place.rename(old)
        draft.rename(place)
    except BaseException:
        if old is not None and old.exists() and not place.exists():
            old.rename(place)
        raise


@contextlib.contextmanager
def _disk_errors(target: Path, advice: str = ELSEWHERE) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as problem:
        if isinstance(problem, SafetensorError) and "os error" not in str(problem):
            raise  # not a disk error
        reason = getattr(problem, "strerror", None) or str(problem).rpartition("error: ")[2]
        refused = Path(getattr(problem, "filename", None) or target)
        if isinstance(problem, PermissionError) and advice == ELSEWHERE and (who := keeper(refused)):
            place = refused if refused.exists() else target.parent
            raise LabError(
                f"Cannot write {target}: {place} belongs to {who}. Ask {who} to run "
                "`python -m labsupport fetch` there, or set PRUNING_LABS_CACHE to a folder of your own."
            ) from problem
        raise LabError(f"Cannot write {target}: {reason}. {advice}") from problem
