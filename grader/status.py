"""The final statuses of a submission, in the sandbox and in the journal."""

from enum import StrEnum


class Status(StrEnum):
    """The status of a submission.

    FINISHED: the sandbox ran every cell; it is not graded yet. PARTLY_GRADED: every cell ran, and the judge
    of some exercise failed. EXEMPT: the lab does not count for the
    student, whatever was handed in.
    """

    FINISHED = "FINISHED"
    GRADED = "GRADED"
    PARTLY_GRADED = "PARTLY_GRADED"
    TIMEOUT = "TIMEOUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    KERNEL_DIED = "KERNEL_DIED"
    OUTPUT_LIMIT = "OUTPUT_LIMIT"
    UNREADABLE = "UNREADABLE"
    NOT_SUBMITTED = "NOT_SUBMITTED"
    GRADER_ERROR = "GRADER_ERROR"
    SET_ASIDE = "SET_ASIDE"
    NOT_GRADED_YET = "not graded yet"
    EXEMPT = "EXEMPT"


ENDED_EARLY = (Status.TIMEOUT, Status.OUT_OF_MEMORY, Status.KERNEL_DIED, Status.OUTPUT_LIMIT)
SCORELESS = (
    Status.UNREADABLE, Status.NOT_SUBMITTED, Status.GRADER_ERROR, Status.SET_ASIDE, Status.NOT_GRADED_YET,
    Status.EXEMPT,
)  # fmt: skip
