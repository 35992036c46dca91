"""Folders with far more files than students hand in, such as a virtual environment beside the notebook.

One of them costs its sender a sentence, and not the class its grades.
"""

from collections import Counter
from pathlib import Path

from labsupport.errors import LabError

MOST_FILES = 20_000  # of a download
MOST_LISTED = 1_000_000
WHY = "it holds {:,} files"


def no_more(count: int, source: Path) -> None:
    """Raise LabError for more files than are listed at all."""
    if count > MOST_LISTED:
        raise LabError(f"{source} holds more than {MOST_LISTED:,} files: is it the right one?")


def crowded(files: list[tuple[str, ...]], source: Path) -> dict[tuple[str, ...], int]:
    """The folders to leave out, and how many files each has, so that MOST_FILES at most are left.

    files: their paths in the source, as parts. Raises LabError where no folder alone has too many.
    """
    found: dict[tuple[str, ...], int] = {}
    while len(files) > MOST_FILES:
        folder = fullest(files)
        left = [parts for parts in files if parts[: len(folder)] != folder]
        if not folder or not left:
            raise LabError(f"{source} holds more than {MOST_FILES:,} files: is it the right one?")
        found[folder] = len(files) - len(left)
        files = left
    return found


def fullest(files: list[tuple[str, ...]]) -> tuple[str, ...]:
    """The deepest folder that has more than half of the files; () if the source itself is it."""
    folder: tuple[str, ...] = ()
    while True:
        depth = len(folder) + 1
        inside = Counter(
            parts[:depth] for parts in files if len(parts) > depth and parts[: depth - 1] == folder
        )
        most, count = inside.most_common(1)[0] if inside else ((), 0)
        if 2 * count <= len(files):
            return folder
        folder = most
