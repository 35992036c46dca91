"""The grades of a class as a table: one row per student, from the journal and nbgrader's gradebook.

A failure is never a plain 0: a score is None if nothing was judged, and the status has the reason. A row
holds numbers; `cells` converts them to text for the CSV.
"""

import csv
import io
import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Assignment, Grade, Gradebook, SubmittedAssignment, SubmittedNotebook
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import selectinload

from grader import course, nbgrader_quiet
from grader.author import source
from grader.grade import journal, version
from grader.grade.journal import Record, unjudged
from grader.intake import extensions, register, roster, spreadsheet
from grader.intake import submitted as submissions
from grader.intake.parse import shown
from grader.intake.register import Handed
from grader.intake.stored import LATE, OWN, TEAM
from grader.results import by_hand as hands
from grader.results.by_hand import Change
from grader.status import SCORELESS, Status
from labsupport import files
from labsupport.errors import LabError
from labsupport.progress import bar

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
    "notes",
)
AT_ONCE = (  # loads a class with one query, instead of several per student
    selectinload(SubmittedAssignment.notebooks)
    .selectinload(SubmittedNotebook.grades)
    .selectinload(Grade.cell)
)
WAS_LATE = {True: "yes", False: "no", None: ""}


@dataclass
class ByHand:
    """The manual part of nbgrader's gradebook for a student, by grade id."""

    scores: dict[str, float] = field(default_factory=dict)  # manual scores; 0 for a question left empty
    extra: dict[str, float] = field(default_factory=dict)
    review: set[str] = field(default_factory=set)  # manual scores for an earlier submission
    when: dict[str, str] = field(default_factory=dict)  # of the last change, where it was noted
    late: float | None = None  # seconds, if a due date and a time of submission are known
    penalty: float = 0.0


@dataclass(frozen=True)
class Row:
    """One student's row of the table.

    scores: points by question, None if it has not been judged. penalty: points deducted for lateness.
    total: the sum of the scores minus the penalty; None if there is no score. most: the points of the lab.
    late: None if unknown; late_seconds: None also if a platform marks the submission as late without a time.
    conditions: by exercise, "given your magnitude_mask; mend that first" where its points rest on that.
    notes: sentences on what an instructor has to decide or to renew. newer: whether other work was handed in
    since it was graded; older: whether a judge or a lab of before graded it. changes: by a person, of the
    exercises' points.
    """

    student: str
    scores: dict[str, float | None]
    penalty: float
    total: float | None
    most: float
    status: Status
    reason: str
    late: bool | None
    late_seconds: float | None
    submission: str  # the SHA-256 of its files
    submitted_at: str
    conditions: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    newer: bool = False
    older: bool = False
    changes: tuple[Change, ...] = ()


def columns(lab: str) -> list[str]:
    """The columns of a lab's table: exercises, written questions, total, status and lateness."""
    names = [cell.name for cell in questions(lab)]
    return ["student", *names, *ENDS]


def questions(lab: str) -> list[source.Cell]:
    """The cells of a lab with points: its checks without the starred ones, then its written questions."""
    cells = [cell for cell in source.read(course.lab(lab)) if cell.points]
    return sorted(cells, key=lambda cell: cell.kind == "written")


def rows(lab: str, records: list[Record] | None = None, only: Collection[str] = ()) -> list[Row]:
    """One row per student of the course, by student id.

    records: those of the journal, for a caller that has read them already. only: these students, and nothing
    of any other is read; none for all.
    """
    lab = course.lab(lab)
    asked = questions(lab)
    collected = register.read(course.folder() / "submitted", lab)
    refused = {student: one.refused for student, one in collected.students.items() if one.refused}
    known = {
        record.student: record
        for record in (journal.records(lab, notebooks=False, only=only) if records is None else records)
        if record.status != Status.NOT_SUBMITTED or record.student not in refused  # sent since it was graded
    }
    enrolled, by_hand = gradebook(lab, only)
    place = course.folder() / "submitted"
    granted = {student: one for student, one in extensions.read(lab).items() if one != extensions.Extension()}
    students = set(only) or (
        enrolled | set(known) | set(submitting()) | on_roster() | set(refused) | set(granted)
    )
    marked = {student for student in students if (place / student / lab / LATE).exists()}
    waiting = {student for student in students - set(known) if any((place / student / lab).glob("*"))}
    exempt = {student for student, one in granted.items() if one.exempt}
    unmatched, latest = len(collected.unmatched), version.latest(lab)
    return [
        _row(
            asked,
            _exempt(lab, student)
            if student in exempt
            else known.get(student) or _unrecorded(lab, student, student in waiting, refused.get(student)),
            ByHand() if student in exempt else by_hand.get(student, ByHand()),
            student in marked - exempt,
            unmatched,
            latest,
            collected.students.get(student, Handed()),
        )
        for student in bar(sorted(students), f"reading {lab}", delay=1)
    ]


def lines(lab: str) -> list[list[str]]:
    """The lines of the CSV: the titles of the columns, then the rows."""
    return [columns(lab), *map(cells, rows(lab))]


def cells(row: Row) -> list[str]:
    """The cells of a row in the order of `columns`; "" for a missing value."""
    return [
        row.student,
        *map(points, row.scores.values()),
        points(row.penalty or None),
        points(row.total),
        points(row.most),
        row.status,
        row.reason,
        WAS_LATE[row.late],
        "" if row.late_seconds is None else f"{row.late_seconds:.0f}",
        row.submission[:12],
        row.submitted_at,
        " ".join(row.notes),
    ]


def write_csv(lab: str, path: Path, table: list[list[str]] | None = None) -> Path:
    """Write the table as a CSV atomically. table: another one of the lab, as lms_export.py makes them."""
    try:
        files.write_whole(Path(path), as_csv(table or lines(lab)))
    except OSError as problem:
        raise LabError(f"The grades cannot be written to {path}: {problem.strerror}.") from problem
    return Path(path)


def as_csv(table: list[list[str]]) -> bytes:
    """A table as a CSV in UTF-8, its titles first; no cell is a formula for a spreadsheet."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([harmless(cell) for cell in line] for line in table)
    return text.getvalue().encode()


def harmless(cell: str) -> str:
    """A cell as one printable line, with formulas escaped as text for spreadsheets."""
    return shown(spreadsheet.harmless(cell), 1000)


def points(value: float | None) -> str:
    """Points as short text: 2.5, 3, and "" for None."""
    return "" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


# One student


def _row(
    asked: list[source.Cell],
    record: Record,
    by_hand: ByHand,
    marked: bool,
    unmatched: int,
    latest: str | None,
    handed: Handed,
) -> Row:
    """A student's row.

    marked: whether a platform marks the submission as late. unmatched: how many submissions are nobody's.
    latest: what the class was graded with last, None if that is not known. handed: what `collect` said.
    """
    reason = record.reason
    if unmatched and record.status == Status.NOT_SUBMITTED:
        plural = "s" * (unmatched > 1)
        reason += f" {unmatched} submission{plural} of this lab could be matched to no student."
    scored = record.status not in SCORELESS
    scores = {cell.name: _score(cell, record, by_hand) if scored else None for cell in asked}
    given = [score for score in scores.values() if score is not None]
    newer = _newer(record, handed)
    return Row(
        student=record.student,
        scores=scores,
        penalty=by_hand.penalty if given else 0.0,
        total=max(0.0, math.fsum(given) - by_hand.penalty) if given else None,
        most=sum(cell.points for cell in asked),
        status=record.status,
        reason=reason,
        late=(marked or None) if by_hand.late is None else by_hand.late > 0,
        late_seconds=by_hand.late,
        submission=record.submission,
        submitted_at=record.submitted_at,
        conditions={name: found.condition() for name, found in record.verdicts.items() if found.given},
        notes=(*_reviews(asked, record, by_hand), *_renewals(record, latest, newer)),
        newer=newer,
        older=_older(record, latest),
        changes=tuple(_changes(asked, record, by_hand, scores)),
    )


def _changes(
    asked: list[source.Cell], record: Record, by_hand: ByHand, scores: dict[str, float | None]
) -> Iterator[Change]:
    """The exercises whose points differ from the judge's."""
    judge = replace(by_hand, scores={}, extra={})
    for cell in (cell for cell in asked if cell.kind == "check"):
        judged, now = _score(cell, record, judge), scores[cell.name]
        if now is not None and (judged is None or round(judged, 2) != round(now, 2)):
            yield Change(cell.name, judged, now, by_hand.when.get(cell.id, ""))


def _reviews(asked: list[source.Cell], record: Record, by_hand: ByHand) -> Iterator[str]:
    """A sentence for every exercise with a person's points for an earlier submission."""
    for cell in asked:
        if cell.id in by_hand.review and cell.id in by_hand.scores:
            verdict = record.verdicts.get(cell.name)
            now = f"the judge says {points(verdict.earned)} now" if verdict else "look at the answer of now"
            yield f"{cell.name}: {points(by_hand.scores[cell.id])} by hand for the earlier submission; {now}."


def _gone(record: Record) -> bool:
    """Whether the work of a record was taken back since, as from a student who was given it by mistake."""
    place = course.folder() / "submitted" / record.student
    return bool(record.verdicts) and place.is_dir() and not any((place / record.lab).glob("*"))


def _newer(record: Record, handed: Handed | None = None) -> bool:
    """Whether other work than that of a record is in place. handed: what `collect` said, if that was read."""
    now = submissions.of(record.student, record.lab, handed) if record.submission else None
    return now is not None and now.raw is not None and now.digest != record.submission


def _renewals(record: Record, latest: str | None, newer: bool) -> Iterator[str]:
    """Sentences on a record that is not of the work in place, or not of today's judges."""
    if newer:
        yield f"Other work was handed in since: `python -m grader grade {record.lab[:2]}` renews this."
    elif _gone(record):
        yield f"This work was taken back since: `python -m grader grade {record.lab[:2]}` renews this."
    elif _older(record, latest):
        again = f"python -m grader regrade {record.lab[:2]}"
        if record.verdicts and not (course.folder() / "submitted" / record.student).is_dir():
            yield (
                "Graded by an older judge or an older version of the lab, and its submission is not in the "
                f"course folder any more: collect it once more, then `{again}` renews this."
            )
            return
        yield (
            f"Graded by an older judge or an older version of the lab: `{again}` renews this, and "
            f"`{again} --dry-run` says before who changes."
        )


def _older(record: Record, latest: str | None) -> bool:
    """Whether the class was graded with another judge, or another version of the lab, since."""
    judged = bool(record.submission) and record.status != Status.NOT_SUBMITTED
    return judged and latest is not None and record.version != latest


def to_renew(student: str, lab: str) -> list[str]:
    """What is to be decided or renewed of one student, for formgrader's page; empty without a record."""
    record = journal.read(lab, student)
    if record is None:
        return []
    with opened() as book:
        query = submitted(book, lab, [student]) if book else []
        by_hand = next((_by_hand(each, {}) for each in query), ByHand())
    reviews = _reviews(questions(lab), record, by_hand)
    return [*reviews, *_renewals(record, version.latest(lab), _newer(record))]


def _score(cell: source.Cell, record: Record, by_hand: ByHand) -> float | None:
    """The points of one question; None if it has not been judged."""
    verdict = record.verdicts.get(cell.name) if cell.kind == "check" else None
    if cell.id in by_hand.scores:
        score = by_hand.scores[cell.id]
    elif verdict is None or unjudged(verdict, record.status):
        return None
    else:
        score = verdict.earned
    return score + by_hand.extra.get(cell.id, 0.0)


def _unrecorded(lab: str, student: str, waiting: bool, refused: str | None) -> Record:
    """A record for a student without one in the journal.

    waiting: whether there is a submission. refused: why `collect` took nothing of one.
    """
    status, reason = Status.NOT_SUBMITTED, "Nothing was collected."
    if waiting:
        status, reason = Status.NOT_GRADED_YET, f"Its submission waits for `python -m grader grade {lab}`."
    elif refused:
        status, reason = Status.UNREADABLE, refused
    return Record(student, lab, submission="", version="", status=status, reason=reason)


def _exempt(lab: str, student: str) -> Record:
    """A record for a student who need not do the lab."""
    return Record(student, lab, "", "", Status.EXEMPT, "This lab does not count for this student: exempt.")


# The students of the course


def submitting() -> list[str]:
    """The students with a folder in submitted/."""
    folder = course.folder() / "submitted"
    return [path.name for path in folder.glob("*") if path.is_dir() and not path.name.startswith(".")]


def on_roster() -> set[str]:
    """The students of roster.csv in the course folder; empty without a roster."""
    path = course.folder() / "roster.csv"
    return set().union(*roster.read(path).by_id.values()) if path.is_file() else set()


def known(lab: str) -> set[str]:
    """The students of the course, without those whom a file of extensions or teams alone names."""
    place = course.folder() / "submitted"
    works = [path for path in place.glob("[!.]*/*/") if (path / OWN).exists() or not (path / TEAM).exists()]
    graded = {record.student for record in journal.records(lab, notebooks=False)}
    refused = register.read(place, lab).students
    return {*on_roster(), *gradebook(lab)[0], *graded, *refused, *(path.parent.name for path in works)}


def gradebook(lab: str, only: Collection[str] = ()) -> tuple[set[str], dict[str, ByHand]]:
    """nbgrader's students, and the manual part of its gradebook for submissions to the lab.

    only: these students; none for all.
    """
    with opened() as book:
        if book is None:
            return set(), {}
        when = hands.times()
        found = {each.student_id: _by_hand(each, when) for each in submitted(book, lab, only)}
        return set(only) or enrolled(book), found


def enrolled(book: Gradebook) -> set[str]:
    """The students of an open gradebook."""
    students: Any = book.students  # nbgrader's columns are untyped
    return {student.id for student in students}


@contextmanager
def opened() -> Iterator[Gradebook | None]:
    """A context with nbgrader's gradebook; None where there is none yet. Raises LabError."""
    config = course.config().CourseDirectory
    url = make_url(config.db_url)
    if url.drivername.startswith("sqlite") and not Path(url.database or "").is_file():
        yield None
        return
    try:
        with Gradebook(config.db_url, config.course_id) as book:
            yield book
    except (SQLAlchemyError, ImportError) as problem:
        why = nbgrader_quiet.one_line(problem)
        raise LabError(f"nbgrader's gradebook {url!r} cannot be read: {why}.") from problem


def due(lab: str) -> datetime | None:
    """The due date of a lab in nbgrader's gradebook, UTC; None without one."""
    assignment: Any = Assignment
    with opened() as book:
        found = book.db.query(assignment).filter(assignment.name == lab).first() if book else None
        return found.duedate if found else None


def submitted(book: Gradebook, lab: str, only: Collection[str] = ()) -> Any:
    """The lab's entries in SubmittedAssignment with their relations; nbgrader's columns are untyped.

    only: those of these students; none for all.
    """
    assignment: Any = Assignment
    query = book.db.query(SubmittedAssignment).join(assignment).filter(assignment.name == lab)
    if only:
        query = query.filter(SubmittedAssignment.student_id.in_(only))
    return query.options(AT_ONCE)


def _by_hand(submission: Any, when: dict[str, str]) -> ByHand:
    """The manual part of one submission. when: of changes, by the gradebook's id of the grade."""
    found = ByHand(penalty=sum(notebook.late_submission_penalty or 0.0 for notebook in submission.notebooks))
    if submission.timestamp and submission.assignment.duedate:
        found.late = submission.total_seconds_late
    for grade in (grade for notebook in submission.notebooks for grade in notebook.grades):
        if grade.id in when:
            found.when[grade.name] = when[grade.id]
        if grade.manual_score is not None:
            found.scores[grade.name] = grade.manual_score
            if grade.needs_manual_grade:
                found.review.add(grade.name)
        elif (
            grade.cell.cell_type == "markdown"
            and grade.auto_score is not None
            and not grade.needs_manual_grade
        ):
            found.scores[grade.name] = grade.auto_score  # nbgrader's 0 for an unchanged question
        if grade.extra_credit:
            found.extra[grade.name] = grade.extra_credit
    return found
