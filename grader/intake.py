"""What a student handed in: which file is the notebook, and whether it can be graded.

Nothing is executed, and nothing in the file is believed: of a student's cells only type, source and
pasted images are kept. Which cells are graded, for how many points and with which check comes from the
release. A submission is admitted, with flags for the instructor, or refused with the reason.
"""

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from grader.reading import LARGEST, Unreadable, brief, read_notebook, shown, too_large
from grader.repair import repaired

HARMLESS = {"timestamp.txt", "submission_secret.txt", "__pycache__", "__MACOSX"}  # not worth a flag


@dataclass(frozen=True)
class Admitted:
    """A notebook that can be graded; `flags` are sentences for the instructor."""

    notebook: NotebookNode
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A submission that cannot be graded: UNREADABLE or NOT_SUBMITTED, and why in one sentence."""

    status: str
    reason: str


def admit(raw: bytes, released: NotebookNode) -> Admitted | Refused:
    """The notebook in `raw`, repaired against the release, or why there is none. Never raises."""
    try:
        cells, metadata, flags = read_notebook(raw)
        notebook, repairs = repaired(cells, released)
    except Unreadable as problem:
        return Refused("UNREADABLE", str(problem))
    return Admitted(notebook, (*flags, *kernel_flags(metadata, released), *repairs))


def kernel_flags(metadata: dict, released: NotebookNode) -> list[str]:
    """Flags where the notebook names another kernel or language than the release, which is used."""
    flags = []
    for key, what, usual in (("kernelspec", "kernel", "python3"), ("language_info", "language", "python")):
        claim = metadata.get(key)
        claim = claim.get("name") if type(claim) is dict else claim
        right = released.metadata.get(key, {}).get("name", usual)
        if claim is not None and claim != right:
            flags.append(f"The notebook names the {what} {brief(claim)}; {right} is used.")
    return flags


def choose(folder: Path, lab: str) -> tuple[bytes, tuple[str, ...]] | Refused:
    """The bytes of the notebook of `lab` in a submission folder, and flags. Links are never followed."""
    try:
        if folder.is_symlink():
            return Refused("UNREADABLE", "The submission folder is a symbolic link, which is not followed.")
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return Refused("NOT_SUBMITTED", "There is no submission folder.")
    except OSError as problem:
        return Refused("UNREADABLE", f"The submission folder cannot be read: {problem.strerror}.")
    others = [name for name in names if not name.startswith(".") and name not in HARMLESS]
    name, flags = pick(names, lab)
    if name is None:
        found = f"the folder holds only {listed(others)}" if others else "the folder is empty"
        return Refused("NOT_SUBMITTED", f"There is no {lab}.ipynb: {found}.")
    try:
        raw = read_file(folder, name)
    except Unreadable as problem:
        return Refused("UNREADABLE", str(problem))
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
    """Sorts `(2)` before `(10)`: a browser gives the later download the higher number."""
    runs = re.split(r"([0-9]+)", name.casefold())
    digits = [run.lstrip("0") for run in runs[1::2]]
    return runs[0], [(len(run), run, after) for run, after in zip(digits, runs[2::2], strict=True)], name


def listed(names: list[str], most: int = 5) -> str:
    """Some names in one line."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(shown(name) for name in names[:most]) + more


def read_file(root: Path, *parts: str) -> bytes:
    """A plain file below `root`. Raises Unreadable for links on the way, pipes, devices, too many bytes."""
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
