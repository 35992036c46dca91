"""Enters the verdicts into nbgrader, which provides gradebook, formgrader, manual grading and feedback.

nbgrader's Autograde runs with other preprocessors: instead of executing a notebook it uses the executed
one of the journal, and instead of deriving scores from outputs it uses the examiner's. The command
`nbgrader autograde` does the same, because the course's nbgrader_config.py lists these classes.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbgrader import utils
from nbgrader.api import Assignment, Gradebook, SubmittedAssignment
from nbgrader.converters import Autograde, GenerateFeedback, autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades, latesubmissions, saveautogrades
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from grader import course, nbgrader_quiet
from grader.author.source import CHECK
from grader.grade import journal
from grader.grade.journal import Record
from grader.intake import submitted as submissions
from grader.intake.stored import SECRET
from grader.results import handing_back, lms_export, penalties
from grader.results.feedback import Standing, unread
from grader.results.table import rows, submitted
from grader.status import Status
from labsupport import files
from labsupport.check.judge.kit.verdict import Ending
from labsupport.errors import LabError
from labsupport.progress import bar

GRADED = "graded"  # the folder from which `adopt` gives nbgrader the executed notebooks
FEW = 100  # records after which the penalties of these students alone are computed anew
AGAIN = "The journal keeps all records; run the command again."


class AdoptNotebook(NbGraderPreprocessor):
    """Replaces the submitted notebook by the executed one of the journal."""

    def preprocess(self, nb, resources):
        place = resources["nbgrader"]
        typed = self.config.CourseDirectory.get("submitted_directory") != GRADED  # or clicked, by a person
        if typed and (sentence := missing(place["assignment"], place["student"])):
            raise NbGraderException(sentence)
        return nbformat.reads(adopted(resources).notebook, as_version=4), resources


class AdoptVerdicts(SaveAutoGrades):
    """Enters the examiner's scores; written answers wait for manual grading, as usual in nbgrader."""

    def preprocess(self, nb, resources):
        self.record = adopted(resources)
        return super().preprocess(nb, resources)

    def _add_score(self, cell, resources):
        name = cell.metadata["nbgrader"]["grade_id"].removeprefix(CHECK)
        grade: Any = self.gradebook.find_grade(
            cell.metadata["nbgrader"]["grade_id"], self.notebook_id, self.assignment_id, self.student_id
        )
        if utils.is_solution(cell) or name not in self.record.verdicts:
            review = self._to_be_reviewed(grade)
            super()._add_score(cell, resources)
            if grade.manual_score is not None:
                grade.needs_manual_grade = review
                self.gradebook.db.commit()
            return
        fault = self.record.verdicts[name].status == Ending.FAULT
        grade.auto_score = None if fault else self.record.verdicts[name].earned
        unknown = fault and grade.manual_score is None
        grade.needs_manual_grade = unknown or self._to_be_reviewed(grade)
        self.gradebook.db.commit()

    def _to_be_reviewed(self, grade) -> bool:
        """Whether a person's points are for other work than this, and nobody has looked since."""
        if grade.manual_score is None:
            return False
        return grade.needs_manual_grade or entered(self.record) != self.record.submission


def adopted(resources: dict) -> Record:
    """The record of the submission that nbgrader is processing."""
    place = resources["nbgrader"]
    record = journal.read(place["assignment"], place["student"])
    if record is None or not record.notebook:
        raise NbGraderException(missing(place["assignment"], place["student"]))
    return record


def missing(lab: str, student: str) -> str:
    """Why no verdicts on the work in place can be entered, and the command that helps; "" if they can."""
    record, grade = journal.read(lab, student), f"`python -m grader grade {lab}`"
    if record and submissions.of(student, lab).digest != record.submission:
        return f"{student} handed in other work since: run {grade}"
    if record and not record.notebook:
        why = f"{record.status}: {record.reason.rstrip('.')}"
        return f"{student} has no verdicts ({why}): once mended, run {grade}"
    return "" if record else f"{student} has no verdicts: run {grade}"


def entered(record: Record) -> str:
    """The submission of this student that the gradebook has; "" if none is known."""
    mark = journal.folder(record.lab) / f"{record.student}.entered"
    return mark.read_text().partition(" ")[0] if mark.is_file() else ""


def hand_over(lab: str, records: list[Record]) -> None:
    """Enter all new records with a notebook into nbgrader's gradebook.

    Only one process may write: call this once, after the class. A record that nbgrader refuses does not
    affect the others. Raises LabError for refused records, and when the gradebook is not accessible; all data
    remains in the journal, and the same command enters the rest later.
    """
    records = [record for record in records if record.notebook]
    refused: dict[str, str] = {}
    if not records:
        return
    course.prepare()
    with one_gradebook() as book:
        assignment: Any = Assignment  # nbgrader's columns are untyped
        known = book.db.query(SubmittedAssignment.student_id).join(assignment).filter(assignment.name == lab)
        there = {student for (student,) in known}
        for record in bar(records, f"entering {lab}"):
            mark = journal.folder(lab) / f"{record.student}.entered"
            about = f"{record.notebook}{record.graded_at}{record.submitted_at}"
            digest = f"{record.submission} {hashlib.sha256(about.encode()).hexdigest()}"
            if record.student in there and mark.exists() and mark.read_text() == digest:
                continue
            try:
                if not record.submitted_at and record.student in there:
                    forget_time(book, record)
                adopt(record)
                book.keep()
                files.write_whole(mark, digest.encode())
            except OSError as problem:
                raise LabError(f"{mark.parent} cannot be written: {problem.strerror}. {AGAIN}") from problem
            except LabError as problem:
                if book.faults:  # no other record can be entered either
                    raise book.faults[0] from problem
                refused[record.student] = str(problem)
                book.db.rollback()
        few = [record.student for record in records] if len(records) <= FEW else ()
        penalties.reckon(lab, book, few)
        book.keep()
    if refused:
        student, *others = refused
        also = f" So it is with {len(others)} others: {', '.join(others[:10])}." if others else ""
        raise LabError(f"{refused[student]}{also} {AGAIN}")


class OneGradebook(Gradebook):
    """nbgrader's gradebook, opened once for a class, with one transaction for each submission.

    nbgrader opens the gradebook seven times per submission and commits after every cell. Here its commits
    are deferred until keep(): a submission is entered atomically, at a third of the cost. faults: errors of
    a locked or inaccessible database.
    """

    def __init__(self):
        super().__init__(course.gradebook_url(), course.config().CourseDirectory.course_id)
        self.faults: list[OperationalError] = []
        event.listen(self.engine, "handle_error", self._heed)
        self.keep = self.db.commit
        self.db.commit = self._commit

    def _heed(self, context) -> None:
        if isinstance(context.sqlalchemy_exception, OperationalError):
            self.faults.append(context.sqlalchemy_exception)

    def _commit(self) -> None:
        self.db.flush()
        self.db.expire_all()

    def close(self) -> None:
        """Called by nbgrader after each step, so that the next step reads the database again."""
        self.db.expunge_all()


@contextmanager
def one_gradebook() -> Iterator[OneGradebook]:
    """A context in which nbgrader always uses the same open gradebook. LabError if none can be opened."""
    places: tuple[Any, ...] = (autograde, saveautogrades, latesubmissions)
    try:
        book = OneGradebook()
        for module in places:
            module.Gradebook = lambda *_, **__: book
        try:
            yield book
        finally:
            for module in places:
                module.Gradebook = Gradebook
            book.db.remove()
            book.engine.dispose()
    except (SQLAlchemyError, ImportError) as problem:
        url = make_url(course.gradebook_url())
        why = nbgrader_quiet.one_line(problem)
        raise LabError(f"The gradebook {url!r} cannot be reached: {why}. {AGAIN}") from problem


def forget_time(book: Gradebook, record: Record) -> None:
    """Take back the time of an earlier submission, which nbgrader would keep for one without a time."""
    for submission in submitted(book, record.lab, [record.student]):
        submission.timestamp = None


def adopt(record: Record) -> None:
    """Run nbgrader's Autograde on one record: autograded/STUDENT/LAB and the gradebook."""
    place = course.folder() / GRADED / record.student / record.lab
    files.write_whole(place / f"{record.lab}.ipynb", record.notebook.encode())
    if record.submitted_at:
        files.write_whole(place / "timestamp.txt", record.submitted_at.encode())
    else:
        (place / "timestamp.txt").unlink(missing_ok=True)
    secret = course.folder() / "submitted" / record.student / record.lab / SECRET
    if secret.is_file():
        files.write_whole(place / SECRET, secret.read_bytes())
    config = course.config()
    config.CourseDirectory.update(
        student_id=record.student, assignment_id=record.lab, submitted_directory=GRADED
    )
    config.Autograde.force = True
    sentence = f"The verdicts on {record.student} cannot be entered into the gradebook"
    nbgrader_quiet.run(Autograde, config, sentence)


def feedback(lab: str, student: str = "") -> Path:
    """Make nbgrader's feedback pages of a lab, and a page with the reason where nothing was graded.

    student: the only one whose page is made; "" for all.
    """
    only = (student,) if student else ()
    penalties.renew(lab, only)
    pages, whose = course.folder() / "feedback", student or "*"
    notebooks = [*(course.folder() / "autograded").glob(f"{whose}/{lab}/*.ipynb")]
    earlier = {path.parent.parent.name for path in notebooks}  # of whose work may have been taken back
    refused = [
        row
        for row in rows(lab, only=only)
        if (row.status == Status.UNREADABLE and student in ("", row.student))
        or (row.status == Status.NOT_SUBMITTED and row.student in earlier)
    ]
    if student and not (notebooks or refused):
        raise LabError(f"Nothing of {student} is graded in {lab}, so there is no page.")
    if not (notebooks or refused):
        raise LabError(f"Nothing is graded in {lab}: `python -m grader grade {lab}` comes first.")
    if notebooks:
        config = course.config()
        config.CourseDirectory.update(assignment_id=lab, student_id=whose)
        config.GenerateFeedback.force = True
        with bar(total=len(notebooks), what=f"feedback on {lab}") as Standing.pages:
            Standing.renewed, Standing.only = lab, only
            nbgrader_quiet.run(GenerateFeedback, config, f"The feedback on {lab} cannot be made in {pages}")
    people = lms_export.on_roster() if refused else {}
    for row in refused:
        page = unread(lab, row, lms_export.name(people.get(row.student, {})))
        try:
            files.write_whole(pages / row.student / lab / f"{lab}.html", page.encode())
            handing_back.keep_secret(lab, row)
        except OSError as problem:
            raise LabError(f"The feedback cannot be written to {pages}: {problem.strerror}.") from problem
    handing_back.own_secrets(lab, pages)
    handing_back.releasable(lab, pages)
    return pages


@dataclass(frozen=True)
class Booked:
    """The gradebook's entry on a student's submission. late_seconds: 0 if it is in time."""

    score: float
    max_score: float
    needs_manual_grade: bool
    late_seconds: float


def students(lab: str) -> dict[str, Booked]:
    """The gradebook's entries on all submissions of a lab, by student."""
    if not os.path.exists(course.folder() / "gradebook.db") and course.gradebook_url().startswith("sqlite"):
        return {}
    found = {}
    with Gradebook(course.gradebook_url(), course.config().CourseDirectory.course_id) as book:
        for submission in submitted(book, lab):
            given = [grade for notebook in submission.notebooks for grade in notebook.grades]
            found[submission.student_id] = Booked(
                score=sum(grade.score for grade in given),
                max_score=submission.assignment.max_score,
                needs_manual_grade=any(grade.needs_manual_grade for grade in given),
                late_seconds=submission.total_seconds_late,
            )
    return found
