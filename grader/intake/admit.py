"""Decides whether a submission can be graded.

Nothing is executed, and no metadata of the file is trusted: only type, source and pasted images of the
student's cells are kept. Graded cells, points and checks come from the release. A submission is admitted,
with flags for the instructor, or refused with a reason.
"""

from dataclasses import dataclass

from nbformat import NotebookNode

from grader.intake.parse import Unreadable, brief, read_notebook
from grader.intake.restore import repaired
from grader.status import Status


@dataclass(frozen=True)
class Admitted:
    """A notebook that can be graded.

    flags: sentences for the instructor. numbers: of each cell in the submitted notebook, from 1; 0 for a
    cell that was put back.
    """

    notebook: NotebookNode
    flags: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A submission that cannot be graded: UNREADABLE or NOT_SUBMITTED, and the reason in one sentence."""

    status: Status
    reason: str


def admit(raw: bytes, released: NotebookNode) -> Admitted | Refused:
    """The notebook in `raw`, restored to the release's cells, or a refusal. Never raises."""
    try:
        cells, metadata, flags = read_notebook(raw)
        notebook, repairs, numbers = repaired(cells, released)
    except Unreadable as problem:
        return Refused(Status.UNREADABLE, str(problem))
    return Admitted(notebook, (*flags, *kernel_flags(metadata, released), *repairs), tuple(numbers))


def kernel_flags(metadata: dict, released: NotebookNode) -> list[str]:
    """Flags if the notebook has another kernel or language than the release; the release's is used."""
    flags = []
    for key, what, usual in (("kernelspec", "kernel", "python3"), ("language_info", "language", "python")):
        claim = metadata.get(key)
        claim = claim.get("name") if type(claim) is dict else claim
        right = released.metadata.get(key, {}).get("name", usual)
        if claim is not None and claim != right:
            flags.append(f"The notebook names the {what} {brief(claim)}; {right} is used.")
    return flags
