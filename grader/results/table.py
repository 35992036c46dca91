"""The grades of a class as a table: one row per student, as the journal and nbgrader's gradebook have them.

A failure is never a plain 0. A score is empty where nothing was judged, and the status says why.
"""

import csv
import io
import math
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.api import Assignment, Grade, Gradebook, SubmittedAssignment, SubmittedNotebook
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import selectinload

from grader import course
from grader.author import source
from grader.grade import journal
from grader.grade.journal import Record
from grader.intake import roster
from grader.intake.parse import shown
from grader.status import GRADED, GRADER_ERROR, NOT_SUBMITTED, UNREADABLE
from labsupport import files
from labsupport.errors import LabError

NOT_GRADED_YET = "not graded yet"
SCORELESS = (UNREADABLE, NOT_SUBMITTED, GRADER_ERROR, NOT_GRADED_YET)
ENDS = (
    "late_penalty",
    "total",
    "max",
    "status",
    "reason",
    "late",
    "late_seconds",
    "submission",
    "submitted_at",
)
AT_ONCE = (  # a query for the class, where there would be some for each student
    selectinload(SubmittedAssignment.notebooks)
    .selectinload(SubmittedNotebook.grades)
    .selectinload(Grade.cell)
)
LATE = ".late"  # beside a notebook that a platform marks late without saying when it came
FORMULA = "=+-@\t\r\n＝＋－＠"  # a cell that begins with one of these is code to a spreadsheet


@dataclass
class ByHand:
    """What nbgrader's gradebook knows of a student beyond the examiner's verdicts, by grade id."""

    scores: dict[str, float] = field(default_factory=dict)  # given by a person; 0 for a question left empty
    extra: dict[str, float] = field(default_factory=dict)
    late: float | None = None  # seconds, where a due date and a time of submission are known
    penalty: float = 0.0


def columns(lab: str) -> list[str]:
    """The columns of a lab's table: the exercises, the written questions, what they add up to and why."""
    names = [cell.name for cell in questions(lab)]
    return ["student", *names, *ENDS]


def questions(lab: str) -> list[source.Cell]:
    """The cells of a lab that give points: its checks, then its written questions."""
    cells = [cell for cell in source.read(course.lab(lab)) if cell.points]
    return sorted(cells, key=lambda cell: cell.kind == "written")


def rows(lab: str, records: list[Record] | None = None) -> list[dict[str, str]]:
    """One row per student of the course, by student id; every value is text, "" where there is none.

    The total is the sum of the scores that there are, less the late penalty. records: those of the
    journal, for a caller that has read them already.
    """
    lab = course.lab(lab)
    asked = questions(lab)
    known = {record.student: record for record in (journal.records(lab) if records is None else records)}
    enrolled, by_hand = gradebook(lab)
    marked = {path.parent.parent.name for path in (course.folder() / "submitted").glob(f"*/{lab}/{LATE}")}
    waiting = set(submitting(lab)) - set(known)
    students = enrolled | set(known) | set(submitting()) | on_roster()
    return [
        _row(
            asked,
            known.get(student) or _unrecorded(lab, student, student in waiting),
            by_hand.get(student, ByHand()),
            student in marked,
        )
        for student in sorted(students)
    ]


def table(lab: str) -> list[list[str]]:
    """The columns' titles, then the rows."""
    return [columns(lab), *(list(row.values()) for row in rows(lab))]


def write_csv(lab: str, path: Path, lines: list[list[str]] | None = None) -> Path:
    """Write the table as a CSV, whole or not at all; a spreadsheet reads none of it as a formula.

    lines: another table of the lab, its titles first, as layouts.py makes them.
    """
    text = io.StringIO(newline="")
    csv.writer(text).writerows([harmless(cell) for cell in line] for line in lines or table(lab))
    try:
        files.write_whole(Path(path), text.getvalue().encode())
    except OSError as problem:
        raise LabError(f"The grades cannot be written to {path}: {problem.strerror}.") from problem
    return Path(path)


def harmless(cell: str) -> str:
    """A cell as one printable line, which a spreadsheet takes as text where it would otherwise calculate."""
    formula = cell.lstrip(" ")[:1] in FORMULA and bool(cell.strip(" "))
    return shown(f"'{cell}" if formula else cell, 1000)


def points(value: float | None) -> str:
    """Points as a person writes them: 2.5, 3, and "" for none."""
    return "" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


# One student


def _row(asked: list[source.Cell], record: Record, by_hand: ByHand, marked: bool) -> dict[str, str]:
    scored = record.status not in SCORELESS
    scores = {cell.name: _score(cell, record, by_hand) if scored else None for cell in asked}
    given = [score for score in scores.values() if score is not None]
    return {
        "student": record.student,
        **{name: points(score) for name, score in scores.items()},
        "late_penalty": points(by_hand.penalty) if given and by_hand.penalty else "",
        "total": points(max(0.0, math.fsum(given) - by_hand.penalty)) if given else "",
        "max": points(sum(cell.points for cell in asked)),
        "status": record.status,
        "reason": record.reason,
        "late": "yes" * marked if by_hand.late is None else "yes" if by_hand.late > 0 else "no",
        "late_seconds": "" if by_hand.late is None else f"{by_hand.late:.0f}",
        "submission": record.submission[:12],
        "submitted_at": record.submitted_at,
    }


def _score(cell: source.Cell, record: Record, by_hand: ByHand) -> float | None:
    """What one question earned; None where nobody has judged it."""
    verdict = record.verdicts.get(cell.name) if cell.kind == "check" else None
    if cell.id in by_hand.scores:
        score = by_hand.scores[cell.id]
    elif verdict is None or (verdict["status"] == "unasked" and record.status != GRADED):
        return None
    else:
        score = verdict["share"] * verdict["points"]
    return score + by_hand.extra.get(cell.id, 0.0)


def _unrecorded(lab: str, student: str, waiting: bool) -> Record:
    """What is to be said about a student without a record; waiting: something was submitted."""
    if waiting:
        return Record(
            student, lab, "", "", NOT_GRADED_YET, f"Its submission waits for `python -m grader grade {lab}`."
        )
    return Record(student, lab, "", "", NOT_SUBMITTED, "Nothing was collected.")


# Who is in the course


def submitting(lab: str = "") -> list[str]:
    """The students with a folder in submitted/; with a lab, those of whom something lies there for it."""
    folder = course.folder() / "submitted"
    students = [path.name for path in folder.glob("*") if path.is_dir() and not path.name.startswith(".")]
    return [student for student in students if not lab or any((folder / student / lab).glob("*"))]


def on_roster() -> set[str]:
    """The students of roster.csv in the course folder, where there is one."""
    path = course.folder() / "roster.csv"
    return set().union(*roster.read(path).by_id.values()) if path.is_file() else set()


def gradebook(lab: str) -> tuple[set[str], dict[str, ByHand]]:
    """nbgrader's students, and what its gradebook says of those who submitted the lab."""
    config = course.config().CourseDirectory
    try:
        url = make_url(config.db_url)
        if url.drivername.startswith("sqlite") and not Path(url.database or "").is_file():
            return set(), {}
        with Gradebook(config.db_url, config.course_id) as book:
            query = book.db.query(SubmittedAssignment).join(Assignment).filter(Assignment.name == lab)
            found = {each.student_id: _by_hand(each) for each in query.options(AT_ONCE)}
            return {student.id for student in book.students}, found
    except (SQLAlchemyError, ImportError) as problem:
        why = str(getattr(problem, "orig", None) or problem).splitlines()[0]
        raise LabError(f"nbgrader's gradebook {url!r} cannot be read: {why}.") from problem


def _by_hand(submission: SubmittedAssignment) -> ByHand:
    found = ByHand(penalty=sum(notebook.late_submission_penalty or 0.0 for notebook in submission.notebooks))
    if submission.timestamp and submission.assignment.duedate:
        found.late = submission.total_seconds_late
    for grade in (grade for notebook in submission.notebooks for grade in notebook.grades):
        if grade.manual_score is not None:
            found.scores[grade.name] = grade.manual_score
        elif (
            grade.cell.cell_type == "markdown"
            and grade.auto_score is not None
            and not grade.needs_manual_grade
        ):
            found.scores[grade.name] = grade.auto_score  # nbgrader's 0 for a question left as it was released
        if grade.extra_credit:
            found.extra[grade.name] = grade.extra_credit
    return found
