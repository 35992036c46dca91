"""Whether what a student handed in can be graded.

Nothing is executed, and nothing in the file is believed: of a student's cells only type, source and
pasted images are kept. Which cells are graded, for how many points and with which check comes from the
release. A submission is admitted, with flags for the instructor, or refused with the reason.
"""

from dataclasses import dataclass

from nbformat import NotebookNode

from grader.intake.parse import Unreadable, brief, read_notebook
from grader.intake.restore import repaired
from grader.status import Status


@dataclass(frozen=True)
class Admitted:
    """A notebook that can be graded; `flags` are sentences for the instructor."""

    notebook: NotebookNode
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A submission that cannot be graded: UNREADABLE or NOT_SUBMITTED, and why in one sentence."""

    status: Status
    reason: str


def admit(raw: bytes, released: NotebookNode) -> Admitted | Refused:
    """The notebook in `raw`, repaired against the release, or why there is none. Never raises."""
    try:
        cells, metadata, flags = read_notebook(raw)
        notebook, repairs = repaired(cells, released)
    except Unreadable as problem:
        return Refused(Status.UNREADABLE, str(problem))
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
