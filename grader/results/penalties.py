"""Late penalties: what the course's rule says of the total, the due date and the extension of this moment.

nbgrader computes a penalty when a notebook is autograded, and keeps it when points come by hand, when a due
date moves, and when a student gets more time.
"""

import math
from collections.abc import Collection
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.preprocessors import AssignLatePenalties

from grader import course
from grader.intake import extensions
from grader.results import table
from labsupport.errors import LabError, reason


def renew(lab: str, only: Collection[str] = ()) -> None:
    """Bring the late penalties of a lab in nbgrader's gradebook up to date.

    only: those of these students; none for all. Raises LabError when the rule fails, or the gradebook cannot
    be written.
    """
    with table.opened() as book:
        if book:
            reckon(lab, book, only)
            book.db.commit()


def reckon(lab: str, book: Gradebook, only: Collection[str] = ()) -> None:
    """Set extensions and penalties in an open gradebook, of all or of `only` these students.

    Raises LabError when the rule fails.
    """
    rule: Any = AssignLatePenalties(config=course.config())
    rule.init_plugin()
    granted = extensions.read(lab)
    for submission in table.submitted(book, lab, only):
        if submission.student_id in granted:
            due = submission.assignment.duedate
            submission.extension = granted[submission.student_id].beyond(due)
        for notebook in submission.notebooks:
            counting = [grade.score for grade in notebook.grades if grade.cell.max_score]  # not dropped ones
            score = math.fsum(counting)  # notebook.score asks the database
            notebook.late_submission_penalty = penalty(rule.plugin_inst, submission, score)


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
