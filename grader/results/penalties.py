"""Late penalties: what the course's rule says of the total, the due date and the extension of this moment.

nbgrader reckons a penalty when a notebook is autograded, and keeps it when points come by hand, when a due
date moves, and when a student gets more time.
"""

from typing import Any

from nbgrader.preprocessors import AssignLatePenalties

from grader import course
from grader.results import table
from labsupport.errors import LabError, reason


def renew(lab: str) -> None:
    """Bring the late penalties of a lab in nbgrader's gradebook up to date.

    Raises LabError when the rule fails, or the gradebook cannot be written.
    """
    rule: Any = AssignLatePenalties(config=course.config())
    rule.init_plugin()
    with table.opened() as book:
        for submission in table.submitted(book, lab) if book else ():
            for notebook in submission.notebooks:
                notebook.late_submission_penalty = penalty(rule.plugin_inst, submission, notebook.score)
        if book:
            book.db.commit()


def penalty(rule: Any, submission: Any, score: float) -> float | None:
    """The points off a score, from 0 to all of it; None for work in time. Raises LabError."""
    late = submission.total_seconds_late
    if late <= 0:
        return None
    try:
        off = rule.late_submission_penalty(submission.student_id, score, late)
        return None if off is None else min(max(0.0, float(off)), score)
    except Exception as problem:
        why = f"{type(problem).__name__}: {reason(problem)}"
        raise LabError(f"The rule for late work, {type(rule).__name__}, fails: {why}.") from problem
