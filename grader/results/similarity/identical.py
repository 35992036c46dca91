"""The groups of students whose notebooks are the same, byte for byte."""

import os
from collections import defaultdict
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import is_solution

from grader import course
from grader.intake import admit
from grader.intake.submitted import Submission, submissions


def groups(lab: str, students: set[str]) -> list[list[str]]:
    """The groups of byte-identical notebooks that have one of these students.

    Of the others only work of a size that one of theirs has is read: a class may be large.
    """
    released = release(lab)
    if not released:
        return []
    place = course.folder() / "submitted"
    sizes = {path.name: _sizes(path / lab) for path in place.glob("[!.]*")}
    theirs = set().union(*(sizes.get(student, set()) for student in students))
    alike = [student for student, each in sizes.items() if each & theirs]
    found = identical(submissions(lab, alike), released) if alike else []
    return [group for group in found if students & set(group)]


def _sizes(folder: Path) -> set[int]:
    """The sizes of the files in a folder of submitted/; empty if it cannot be read."""
    try:
        return {each.stat(follow_symlinks=False).st_size for each in os.scandir(folder)}
    except OSError:
        return set()


def identical(handed_in: list[Submission], released: NotebookNode) -> list[list[str]]:
    """The students of each group of byte-identical notebooks in which an answer is written.

    Of a team only the member whose work it is.
    """
    same: dict[str, list[Submission]] = defaultdict(list)
    for each in handed_in:
        if each.raw is not None and not each.mate:
            same[each.digest].append(each)
    return [
        [each.student for each in group]
        for group in same.values()
        if len(group) > 1 and is_answered(group[0].raw or b"", released)
    ]


def is_answered(raw: bytes, released: NotebookNode) -> bool:
    """Whether a submission can be read and has an answer that is not as released."""
    admitted = admit.admit(raw, released)
    if isinstance(admitted, admit.Refused):
        return False
    as_released = {cell.source for cell in released.cells}
    return any(is_solution(cell) and cell.source not in as_released for cell in admitted.notebook.cells)


def release(lab: str) -> NotebookNode | None:
    """The released notebook; None if there is none."""
    path = course.folder() / "release" / lab / f"{lab}.ipynb"
    return nbformat.reads(path.read_text("utf-8"), as_version=4) if path.exists() else None
