"""Whether this process runs a submission for the grader."""

import os

SOCKET = "PRUNING_LABS_SOCKET"  # path of the examiner's socket; set only during grading


def being_graded() -> bool:
    """Whether the examiner's socket is set."""
    return SOCKET in os.environ
