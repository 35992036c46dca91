"""The groups of students whose notebooks are the same, byte for byte."""

from collections import defaultdict

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import is_solution

from grader import course
from grader.intake import admit
from grader.intake.submitted import Submission, submissions


def groups(lab: str, students: set[str]) -> list[list[str]]:
    """The groups of byte-identical notebooks that have one of these students."""
    released = release(lab)
    found = identical(submissions(lab), released) if released else []
    return [group for group in found if students & set(group)]


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
