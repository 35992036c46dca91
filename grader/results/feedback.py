"""What a student's feedback page says beside the notebook: the total, its parts, and what is open.

templates/feedback/index.html.j2 has the layout. No exercise shows a number where nothing was judged.
"""

import base64
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from pygments.formatters import HtmlFormatter
from tqdm import tqdm

from grader import course
from grader.author.source import Cell
from grader.grade import journal
from grader.grade.journal import Record
from grader.results import lms_export, penalties, table
from grader.results.person import KINDS, kind
from grader.results.table import Row, points
from grader.status import Status

WAITS = "not graded yet"
NEWER = "You have handed in other work since. It is not graded yet, and this page is on the work before it."
EARLIER = "Below is work that you handed in earlier."
OLDER = "The checks have changed since this was graded. Your points may change when it is graded again."
BY_HAND = "Points that were given by hand stand."


@dataclass(frozen=True)
class Line:
    """One exercise or written question. anchor: the id of its cell. points: "2 of 3", or what is open."""

    anchor: str
    name: str
    said: str
    points: str


@dataclass(frozen=True)
class Page:
    """The head of a page. notes: sentences below the total."""

    title: str
    student: str
    name: str
    total: str
    notes: list[str]
    lines: list[Line]


class Standing(NbGraderPreprocessor):
    """Puts the head of a student's page into nbgrader's resources, and the points into the cells.

    renewed: the lab whose late penalties the caller has just brought up to date; a person who types or clicks
    nbgrader's own command has not. only: the students whose pages are made; none for all.
    """

    renewed = ""
    only: tuple[str, ...] = ()
    pages = tqdm(disable=True)  # what shows the progress of a class

    def preprocess(self, nb, resources):
        place = resources["nbgrader"]
        if getattr(self, "lab", None) != place["assignment"]:  # read once for a class
            self.lab = place["assignment"]
            if self.renewed != self.lab:
                penalties.renew(self.lab)
            self.rows = {row.student: row for row in table.rows(self.lab, only=self.only)}
            self.people, self.asked = lms_export.on_roster(), table.questions(self.lab)
        record = journal.read(self.lab, place["student"]) or Record(
            place["student"], self.lab, "", "", Status.NOT_GRADED_YET
        )
        name = lms_export.name(self.people.get(record.student, {}))
        place["page"] = head(record, self.rows[record.student], self.asked, name)
        place["by_cell"] = {line.anchor: line for line in place["page"].lines}
        place["colours"] = "\n".join([light(), "@media (prefers-color-scheme: dark) {", dark(), "}"])
        self.pages.update()
        place["font"] = font()
        return nb, resources


@cache
def font() -> str:
    """The font of formulas in base64; fonts/README.md says what it is."""
    return base64.b64encode((Path(__file__).parent / "fonts" / "math.woff").read_bytes()).decode()


def light() -> str:
    """The style of highlighted code."""
    return HtmlFormatter(style="default").get_style_defs(".highlight")


def dark() -> str:
    """The style of highlighted code on a dark page."""
    return HtmlFormatter(style="github-dark").get_style_defs(".highlight")


def head(record: Record, row: Row, asked: list[Cell], name: str) -> Page:
    """The head of a student's page. name: from the roster, "" without one."""
    waits = sum(cell.kind == "written" and row.scores[cell.name] is None for cell in asked)
    none = "not counted" if row.status == Status.EXEMPT else "no score yet"
    total = none if row.total is None else f"{points(row.total)} of {points(row.most)} points"
    if waits and row.total is not None:
        total += " so far"
    said = [
        f"{waits} written answer{'s wait' if waits > 1 else ' waits'} to be graded." if waits else "",
        f"{lms_export.lateness(row).capitalize()}." if row.late else "",
        f"Without that, {points(row.total + row.penalty)} points."
        if row.penalty and row.total is not None
        else "",
        record.why,
        BY_HAND if record.why and row.changes else "",
        row.reason,
        NEWER if row.newer else EARLIER if record.submission and not record.notebook else "",
        OLDER if row.older and not row.newer else "",
    ]
    return Page(
        title=course.title(record.lab),
        student=record.student,
        name=name,
        total=total,
        notes=[sentence for sentence in said if sentence],
        lines=[line(cell, record, row) for cell in asked],
    )


def unread(lab: str, row: Row, name: str) -> str:
    """The page of a student whose work could not be read: the same head, and no cells."""
    config = course.config()
    nbgraders = GenerateFeedback(coursedir=CourseDirectory(config=config), config=config)
    why = [f"{row.status}: {row.reason}", "Nothing was graded, so there is no score."]
    page = Page(course.title(lab), row.student, name, "no score yet", why, [])
    resources = {"nbgrader": {"page": page, "by_cell": {}, "colours": "", "font": ""}}
    return HTMLExporter(config=nbgraders.config).from_notebook_node(nbformat.v4.new_notebook(), resources)[0]


def line(cell: Cell, record: Record, row: Row) -> Line:
    """The result of one question."""
    score, verdict = row.scores[cell.name], record.verdicts.get(cell.name)
    shown = f"{points(score)} of {cell.points}"
    if verdict is None:
        said = WAITS if score is None else ""
        return Line(
            cell.id, cell.name.replace("_", " "), said, f"{cell.points} at most" if score is None else shown
        )
    said = KINDS[kind(record.status, verdict)]
    if score is not None and round(score, 2) != round(verdict.earned, 2):
        said = "points by hand"
    name = f"{verdict.number} {cell.name}"
    return Line(cell.id, name, said, f"{cell.points} at most" if score is None else shown)


def notes(lab: str, student: str = "") -> list[str]:
    """Sentences for the instructor on what the pages of a class, or of one student, leave open."""
    rows, asked = table.rows(lab, only=[student] if student else ()), table.questions(lab)
    open_of = {row.student: lms_export.waiting(row, asked) for row in rows}
    waits, students = sum(open_of.values()), sum(map(bool, open_of.values()))
    of_whom = "" if student else f", from {students} of {len(rows)} students"
    said = (
        waits and f"Written answers that wait to be graded: {waits}{of_whom}.",
        lms_export.to_decide(lab, rows),
    )
    return [sentence for sentence in said if sentence]
