"""Finds the notebook among the files of a submission and reads it. Links are never followed."""

import errno
import os
import re
import stat
from pathlib import Path

from grader.intake.admit import Refused
from grader.intake.parse import LARGEST, Unreadable, shown, too_large
from grader.status import Status

HARMLESS = {"timestamp.txt", "submission_secret.txt", "__pycache__", "__MACOSX"}  # files that need no flag


def choose(folder: Path, lab: str) -> tuple[bytes, tuple[str, ...]] | Refused:
    """The bytes of the notebook of `lab` in a submission folder, and flags. Links are never followed."""
    try:
        if folder.is_symlink():
            why = "The submission folder is a symbolic link, which is not followed."
            return Refused(Status.UNREADABLE, why)
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return Refused(Status.NOT_SUBMITTED, "There is no submission folder.")
    except OSError as problem:
        return Refused(Status.UNREADABLE, f"The submission folder cannot be read: {problem.strerror}.")
    others = [name for name in names if not name.startswith(".") and name not in HARMLESS]
    name, flags = pick(names, lab)
    if name is None:
        found = f"the folder holds only {listed(others)}" if others else "the folder is empty"
        return Refused(Status.NOT_SUBMITTED, f"There is no {lab}.ipynb: {found}.")
    try:
        raw = read_file(folder, name)
    except Unreadable as problem:
        return Refused(Status.UNREADABLE, str(problem))
    beside = [other for other in others if not is_copy(other, lab)]
    if beside:
        flags = (*flags, f"Not taken along, because only the notebook is graded: {listed(beside)}.")
    return raw, flags


def pick(names: list[str], lab: str) -> tuple[str | None, tuple[str, ...]]:
    """The notebook of `lab` among file names, and flags: LAB.ipynb, else the copy with the highest number."""
    exact = f"{lab}.ipynb"
    copies = sorted((name for name in names if is_copy(name, lab) and name != exact), key=by_number)
    if exact in names:
        return exact, ((f"Not graded, because {exact} lies beside it: {listed(copies)}.",) if copies else ())
    if not copies:
        return None, ()
    if len(copies) == 1:
        return copies[0], (f"The notebook was taken from '{shown(copies[0])}', the only one of this lab.",)
    return copies[-1], (f"Of several copies that with the highest number was taken, '{shown(copies[-1])}'; "
                        f"not graded: {listed(copies[:-1])}.",)  # fmt: skip


def is_copy(name: str, lab: str) -> bool:
    """Whether a file is named as a notebook of `lab`: `LAB.ipynb`, `LAB (1).ipynb`, `Copy of LAB.ipynb`."""
    folded = name.casefold()
    return lab.casefold() in folded and folded.endswith(".ipynb") and not name.startswith(".")


def by_number(name: str) -> tuple:
    """The sort key of copies, `(2)` before `(10)`: browsers number later downloads higher."""
    runs = re.split(r"([0-9]+)", name.casefold())
    digits = [run.lstrip("0") for run in runs[1::2]]
    return runs[0], [(len(run), run, after) for run, after in zip(digits, runs[2::2], strict=True)], name


def listed(names: list[str], most: int = 5) -> str:
    """The first `most` names in one line."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(shown(name) for name in names[:most]) + more


def read_file(root: Path, *parts: str) -> bytes:
    """Read a regular file below `root`. Raises Unreadable for links, pipes, devices and large files."""
    name, opened = shown(parts[-1]), []
    try:
        opened.append(os.open(root, os.O_RDONLY | os.O_DIRECTORY))
        for part in parts[:-1]:
            opened.append(os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened[-1]))
        opened.append(os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened[-1]))
        about = os.fstat(opened[-1])
        if not stat.S_ISREG(about.st_mode):
            raise Unreadable(f"'{name}' is no plain file.")
        if about.st_size > LARGEST:
            raise Unreadable(too_large(name, about.st_size))
        with open(opened[-1], "rb", closefd=False) as file:
            raw = file.read(LARGEST + 1)
    except OSError as problem:
        if problem.errno in (errno.ELOOP, errno.ENOTDIR):
            raise Unreadable(
                f"'{name}' is a symbolic link or lies behind one; links are not followed."
            ) from None
        why = "it is no plain file" if problem.errno == errno.ENXIO else problem.strerror  # ENXIO: a socket
        raise Unreadable(f"'{name}' cannot be read: {why}.") from None
    finally:
        for descriptor in opened:
            os.close(descriptor)
    if len(raw) > LARGEST:
        raise Unreadable(too_large(name, len(raw)))
    return raw
