"""The instructor's report: one HTML page on a class, without network access and scripts.

All data of a submission is untrusted: the template escapes every value, and characters that are not
printable (such as a change of the writing direction) are shown as marks. templates/report.html has the
layout of the page and formats the numbers, with the filters of `page`.
"""

import os
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader

from grader import course
from grader.grade import journal
from grader.results import exercises, lms_export, summary, table
from grader.results.person import KINDS, Person
from grader.status import Status
from labsupport import files
from labsupport.errors import LabError

MOST = 6000  # characters shown of one text
MEANING = {
    Status.GRADED: "ran to its end; every score stands",
    Status.PARTLY_GRADED: "the judge of an exercise failed, not the student; the other scores stand",
    Status.TIMEOUT: "a cell took too long; what was judged before stands",
    Status.OUT_OF_MEMORY: "it took more memory than allowed; what was judged before stands",
    Status.KERNEL_DIED: "its Python ended in the middle; what was judged before stands",
    Status.OUTPUT_LIMIT: "it printed more than allowed; its output was cut, the rest stands",
    Status.GRADER_ERROR: "the grader failed, not the student; grade again",
    Status.SET_ASIDE: "it ended the grader's process more than once; no score, not a 0",
    Status.UNREADABLE: "what was handed in could not be read as this lab's notebook; no score, not a 0",
    Status.NOT_GRADED_YET: "a submission waits to be graded",
    Status.NOT_SUBMITTED: "no notebook of this lab was handed in; no score, not a 0",
}


def write(lab: str, path: Path) -> Path:
    """Write the report on a lab atomically; its path."""
    path = Path(path).absolute()
    html = page(course.lab(lab), path.parent)
    try:
        files.write_whole(path, html.encode())
    except OSError as problem:
        raise LabError(f"The report cannot be written to {path}: {problem.strerror}.") from problem
    return path


def page(lab: str, folder: Path) -> str:
    """The report as HTML; `folder`: its later folder, for relative links to the feedback."""
    records = journal.records(lab)
    shared = summary.shared(records)
    people = everybody(lab, records, shared, folder)
    scored = [person for person in people if person.row.total is not None]
    questions = table.questions(lab)
    checks = [exercises.summary(cell, people) for cell in questions if cell.kind == "check"]
    written = [cell for cell in questions if cell.kind == "written"]
    number, words = lab.split("_", 1)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True, finalize=printable,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"points": table.points, "lateness": lms_export.lateness, "span": lms_export.span}
    return environment.get_template("report.html").render(
        title=f"Lab {number}: {words.replace('_', ' ')}", made=f"{datetime.now():%d %B %Y, %H:%M}",
        people=people, scored=scored, exercises=checks, written=written, kinds=KINDS, MEANING=MEANING,
        PHASES=summary.PHASES, spread=summary.spread(scored, checks, written),
        hardest=summary.hardest(checks), statuses=summary.statuses(people), late=summary.late(people),
        time=summary.time(records), slowest=summary.slowest(people), look=summary.look(people),
        flags=summary.groups((person, person.flags) for person in people),
        unenforced=summary.groups((person, person.unenforced) for person in people),
        flagged=sum(bool(person.flags) for person in people), shared=shared,
    )  # fmt: skip


def printable(value):
    """A text for the page: no invisible or direction characters, limited length."""
    if type(value) is not str:  # Markup, for example, which is escaped already
        return value
    cut = value if len(value) <= MOST else f"{value[:MOST]}\n[{len(value) - MOST:,} characters more]"
    return "".join(letter if letter.isprintable() or letter == "\n" else _mark(letter) for letter in cut)


def _mark(letter: str) -> str:
    return " " if letter.isspace() else "�"


def everybody(lab: str, records: list[journal.Record], shared: set[str], folder: Path) -> list[Person]:
    """The students of the course, by student id. shared: the limits that were enforced for nobody."""
    by_student = {record.student: record for record in records}
    people = []
    for number, row in enumerate(table.rows(lab, records), 1):
        record = by_student.get(row.student)
        alone = [sentence for sentence in record.unenforced if sentence not in shared] if record else []
        people.append(Person(f"student-{number}", row, record, _feedback(lab, row.student, folder), alone))
    return people


def _feedback(lab: str, student: str, folder: Path) -> str:
    """The relative path from the report to a student's feedback page; "" if there is none."""
    path = course.folder() / "feedback" / student / lab / f"{lab}.html"
    if "/" in student or not path.is_file():
        return ""
    return quote(os.fsencode(os.path.relpath(path, folder)))
