"""Hands the verdicts to nbgrader, which keeps gradebook, formgrader, manual grading and feedback.

nbgrader's Autograde runs with its two lists of preprocessors replaced: instead of executing a
notebook it takes over the executed one of the journal, and instead of reading scores off outputs it
takes the examiner's. `nbgrader autograde` itself does the same, because the course's
nbgrader_config.py names these classes.
"""

import hashlib
import logging
import os
import warnings
from pathlib import Path

import nbformat
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
from sqlalchemy.exc import SAWarning, SQLAlchemyError

from grader import course, journal
from grader.grading import CHECK
from grader.journal import Record
from labsupport.settings import LabError


class AdoptNotebook(NbGraderPreprocessor):
    """Takes the executed notebook out of the journal, whatever was read from submitted/."""

    def preprocess(self, nb, resources):
        return nbformat.reads(adopted(resources).notebook, as_version=4), resources


class AdoptVerdicts(SaveAutoGrades):
    """Enters the examiner's scores; written answers are left to a person, as nbgrader does it."""

    def preprocess(self, nb, resources):
        self.record = adopted(resources)
        return super().preprocess(nb, resources)

    def _add_score(self, cell, resources):
        name = cell.metadata["nbgrader"]["grade_id"].removeprefix(CHECK)
        if utils.is_solution(cell) or name not in self.record.verdicts:
            return super()._add_score(cell, resources)
        grade = self.gradebook.find_grade(
            cell.metadata["nbgrader"]["grade_id"], self.notebook_id, self.assignment_id, self.student_id
        )
        verdict = self.record.verdicts[name]
        grade.auto_score = verdict["share"] * verdict["points"]
        grade.needs_manual_grade = grade.manual_score is not None  # a person's score stands, for review
        self.gradebook.db.commit()


def adopted(resources: dict) -> Record:
    """The record of the submission that nbgrader is at."""
    place = resources["nbgrader"]
    record = journal.read(place["assignment"], place["student"])
    if record is None or not record.notebook:
        raise NbGraderException(
            f"{place['student']} has no verdicts: run `python -m grader grade {place['assignment']}`"
        )
    return record


def hand_over(lab: str, records: list[Record]) -> None:
    """Enter all records that have a notebook into nbgrader's gradebook; what was entered is not again.

    One writer: call it once, after the class. Raises LabError when the gradebook does not take them;
    the journal keeps everything, and the same command enters the rest later.
    """
    for record in records:
        if not record.notebook:
            continue
        mark = journal.folder(lab) / f"{record.student}.entered"
        digest = hashlib.sha256(record.notebook.encode() + record.graded_at.encode()).hexdigest()
        if mark.exists() and mark.read_text() == digest:
            continue
        adopt(record)
        course.write_whole(mark, digest.encode())


def adopt(record: Record) -> None:
    """Run nbgrader's Autograde on one record: autograded/STUDENT/LAB and the gradebook."""
    place = course.folder() / "graded" / record.student / record.lab
    course.write_whole(place / f"{record.lab}.ipynb", record.notebook.encode())
    if record.submitted_at:
        course.write_whole(place / "timestamp.txt", record.submitted_at.encode())
    config = course.config()
    config.CourseDirectory.update(
        student_id=record.student, assignment_id=record.lab, submitted_directory="graded"
    )
    config.Autograde.force = True
    run(Autograde, config, f"The verdicts on {record.student} cannot be entered into the gradebook")


def feedback(lab: str) -> Path:
    """Make nbgrader's feedback pages of a lab; the folder that holds them."""
    config = course.config()
    config.CourseDirectory.update(assignment_id=lab)
    config.GenerateFeedback.force = True
    run(GenerateFeedback, config, f"The feedback on {lab} cannot be made")
    return course.folder() / "feedback"


def run(converter: type, config, sentence: str) -> None:
    """Run one of nbgrader's converters quietly; one LabError, with its reason, when it fails."""
    log = logging.Logger("nbgrader", logging.ERROR)
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda message: heard.append(message.getMessage())
    log.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # nbgrader's own queries cause them
            converter(coursedir=CourseDirectory(config=config, log=log), config=config, log=log).start()
    except (NbGraderException, SQLAlchemyError, OSError) as problem:
        reason = next((text.strip().splitlines()[-1] for text in heard if "Error" in text), str(problem))
        raise LabError(
            f"{sentence}: {reason}. The journal keeps all records; run the command again."
        ) from problem
    except SystemExit as problem:
        raise LabError(f"{sentence}: {heard[-1] if heard else problem}.") from problem


def students(lab: str) -> dict[str, dict]:
    """Scores out of the gradebook by student: score, max_score, needs_manual_grade, late seconds."""
    if not os.path.exists(course.folder() / "gradebook.db") and course.gradebook_url().startswith("sqlite"):
        return {}
    found = {}
    with Gradebook(course.gradebook_url(), course.config().CourseDirectory.course_id) as book:
        for submission in book.assignment_submissions(lab):
            found[submission.student.id] = {
                "score": submission.score,
                "max_score": submission.max_score,
                "needs_manual_grade": submission.needs_manual_grade,
                "late_seconds": submission.total_seconds_late,
            }
    return found
