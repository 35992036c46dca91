"""The instructor's report: one HTML page on a class, without network access and scripts.

templates/report.html has the layout of the page and formats the numbers. Each pair of students whose
functions are alike has a page of its own, in a folder beside the report. A lab with a challenge has a page
for the class, beside the report: its table under chosen names.
"""

import os
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from grader import course
from grader.grade import journal
from grader.intake import register
from grader.results import exercises, lms_export, places, summary, table
from grader.results.person import KINDS, Person
from grader.results.similarity import page as side_by_side
from grader.results.similarity.likeness import likeness
from grader.results.templating import template
from grader.status import Status
from labsupport import files
from labsupport.errors import LabError

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
    Status.EXEMPT: "the lab does not count for this student",
    Status.NOT_SUBMITTED: "no notebook of this lab was handed in; no score, not a 0",
}


def write(lab: str, path: Path) -> Path:
    """Write the report on a lab atomically; its path."""
    path, lab = Path(path).absolute(), course.lab(lab)
    found, records = likeness(lab), journal.records(lab, notebooks=False)
    shared = summary.shared(records)
    people = everybody(lab, records, shared, path.parent)
    standings = places.standings(people)
    pages = path.with_name(f"{path.stem}_pairs")
    about = {"title": course.title(lab), "made": f"{datetime.now():%d %B %Y, %H:%M}", "standings": standings}
    beside = {"likeness": found, "pages": pages.name, "class_page": class_page(path).name}
    try:
        side_by_side.write(found.pairs, pages, path.name)
        files.write_whole(path, page(lab, records, people, shared, **about, **beside).encode())
        if standings:
            files.write_whole(class_page(path), template("places.html").render(**about).encode())
    except OSError as problem:
        raise LabError(f"The report cannot be written to {path}: {problem.strerror}.") from problem
    return path


def class_page(report: Path) -> Path:
    """The page for the class that belongs to a report."""
    return report.with_name(f"{report.stem}_table.html")


def page(lab: str, records: list[journal.Record], people: list[Person], shared: set[str], **more) -> str:
    """The report as HTML. shared: the limits that were enforced for nobody; more: see `write`."""
    scored = [person for person in people if person.row.total is not None]
    questions = table.questions(lab)
    checks = [exercises.summary(cell, people) for cell in questions if cell.kind == "check"]
    written = [cell for cell in questions if cell.kind == "written"]
    return template("report.html").render(
        **more, people=people, scored=scored, exercises=checks, written=written, kinds=KINDS,
        MEANING=MEANING,
        PHASES=summary.PHASES, spread=summary.spread(scored, checks, written),
        hardest=summary.hardest(checks), statuses=summary.statuses(people), late=summary.late(people),
        time=summary.time(records), slowest=summary.slowest(people), look=summary.look(people),
        flags=summary.groups((person, person.flags) for person in people),
        unenforced=summary.groups((person, person.unenforced) for person in people),
        changed=[person for person in people if person.row.changes],
        flagged=sum(bool(person.flags) for person in people), shared=shared,
        by_student={person.row.student: person for person in people},
        unmatched=register.read(course.folder() / "submitted", lab).unmatched,
    )  # fmt: skip


def everybody(lab: str, records: list[journal.Record], shared: set[str], folder: Path) -> list[Person]:
    """The students of the course, by student id. shared: the limits that were enforced for nobody."""
    by_student = {record.student: record for record in records}
    people, roster = [], lms_export.on_roster()
    for number, row in enumerate(table.rows(lab, records), 1):
        record = by_student.get(row.student)
        alone = [sentence for sentence in record.unenforced if sentence not in shared] if record else []
        name = lms_export.name(roster.get(row.student, {}))
        page = _feedback(lab, row.student, folder)
        people.append(Person(f"student-{number}", row, record, page, alone, name))
    return people


def _feedback(lab: str, student: str, folder: Path) -> str:
    """The relative path from the report to a student's feedback page; "" if there is none."""
    path = course.folder() / "feedback" / student / lab / f"{lab}.html"
    if "/" in student or not path.is_file():
        return ""
    return quote(os.fsencode(os.path.relpath(path, folder)))
