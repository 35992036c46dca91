"""A new folder with a model, its tokenizer and how it was made: whole, or not there."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from labsupport.errors import LabError, reason
from labsupport.fetch import cache
from labsupport.steps import record

ADVICE = "Free some space there, or name another folder."


@contextlib.contextmanager
def alone(words: str) -> Iterator[Path]:
    """The folder that --to names, for one process at a time: of two runs into it the second one ends at once.

    Parts that a killed run left beside it are removed. Raises LabError for a place that cannot be written,
    before anything is computed.
    """
    target = named(words)
    place = Path(os.path.realpath(target))  # a link's folder, and not the link
    missing = [around for around in place.parents if not around.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place.with_name(f".{place.name}.lock"))
        lock.acquire(timeout=0)
    except Timeout:
        if place.with_name(f".{place.name}.lock").exists():
            said = f"Another process makes {target} now: wait for it, or name another folder."
        else:  # a file system that is none, such as /proc
            said = f"Cannot write {target}: no file can be made in {place.parent}."
        raise LabError(said) from None
    except (OSError, ValueError) as problem:
        _remove_empty(missing)
        raise LabError(f"Cannot write {target}: {_words(problem)}. {ADVICE}") from problem
    try:
        for left in cache.remains(place):
            if (left / "old").exists() and not place.exists():
                (left / "old").rename(place)  # it was killed between two renames
            shutil.rmtree(left, ignore_errors=True)
        yield target
    finally:
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink()  # before it is released, so that nobody else holds it
        lock.release()
        _remove_empty(missing)


def named(words: str) -> Path:
    """The folder of --to; raises LabError for a name that no folder has, or one around which is a file."""
    if not words or "\0" in words or not words.isprintable():
        raise LabError(f"--to is {words!r}: it must be the name of a folder, in letters that can be printed.")
    target = Path(words)
    if not Path(os.path.realpath(target)).name:
        raise LabError(f"{target} is there already: name another folder.")
    try:
        around = next(each for each in target.absolute().parents if each.exists())
        target.exists()
    except OSError as problem:
        raise LabError(f"Cannot write {target}: {_words(problem)}.") from problem
    if not around.is_dir():
        raise LabError(f"Cannot write {target}: {around} is not a folder.")
    return target


def must_be_new(target: Path) -> None:
    """Raise LabError for a folder that holds something, so that nothing is lost."""
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise LabError(f"{target} is there already: remove it, or name another folder.")
    if target.absolute() == Path.cwd() or Path(os.path.realpath(target)).is_symlink():
        raise LabError(
            f"{target} is the folder of this very shell, or a link to itself: name another folder."
        )


def write(
    target: Path, model: Any, tokenizer: Any, start: record.Subject, step: dict, replace: bool = False
) -> None:
    """Save a model atomically; replace: in place of an old folder. Raises LabError if the disk refuses."""
    with cache.whole_or_nothing(target, ADVICE, replace) as draft:
        model.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
        record.write_made(draft, start, step)


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders, the innermost first, as far as nothing is in them."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _words(problem: Exception) -> str:
    """What is wrong, in the system's words."""
    return getattr(problem, "strerror", None) or reason(problem)
