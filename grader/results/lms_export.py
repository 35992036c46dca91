"""LMS export: the grades of a lab for a learning platform, one column of points with the students' ids.

Canvas (Grades > Import): Student, ID, SIS User ID, SIS Login ID, Section, the assignment, and a second
line with the points possible. Canvas turns any other column into an assignment, except those with "Final
Grade" in the title; such a column holds status and lateness, for readers of the file.
Moodle (Gradebook > Import > CSV, or the assignment's grading worksheet): columns are mapped by hand, or
by these titles. Its feedback comments are HTML for the students.
"""

import html
from collections.abc import Iterator

from grader import course
from grader.author.source import Cell
from grader.intake import roster
from grader.results import table
from grader.results.table import Row, points
from grader.status import SCORELESS, Status

CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
STATUS = "Status of Final Grade"  # Canvas ignores columns with "Final Grade" in the title
EXCUSED = "EX"  # what Canvas reads as excused
MOODLE = ("Identifier", "Full name", "Username", "ID number", "Email address", "Status")
MOODLE_ENDS = ("Maximum Grade", "Percentage", "Last modified (grade)", "Feedback comments")
SAYS = {  # the possible titles in a roster, or in the platform's list it was made from
    "name": ("name", "full_name", "student"),
    "canvas": ("canvas_id", "canvas_user_id", "id"),
    "sis": ("sis_user_id", "sis_id"),
    "login": ("sis_login_id", "login_id", "login", "username", "user"),
    "section": ("section",),
    "identifier": ("identifier",),
    "number": ("id_number", "idnumber", "sis_user_id", "sis_id"),
    "mail": ("email", "email_address", "e_mail", "mail"),
}


def lines(lab: str, layout: str, column: str = "") -> list[list[str]]:
    """The lines of the file, its titles first. column: the platform's title of the lab's column."""
    return list({"canvas": canvas, "moodle": moodle}[layout](course.lab(lab), column))


def canvas(lab: str, column: str = "") -> Iterator[list[str]]:
    """For Canvas. A column 'Lab 2 (4711)' is assignment 4711; an unknown title makes a new assignment."""
    yield [*CANVAS, column or course.title(lab), STATUS]
    asked = table.questions(lab)
    most = points(sum(cell.points for cell in asked))
    yield ["    Points Possible", "", "", "", "", most, "(read only)"]
    people = on_roster()
    for row in table.rows(lab):
        who = people.get(row.student, {})
        said = [value(who, what) for what in ("canvas", "sis", "login", "section")]
        said[2] = said[2] or row.student
        score = EXCUSED if row.status == Status.EXEMPT else points(row.total)
        yield [name(who) or row.student, *said, score, status(row, asked)]


def moodle(lab: str, column: str = "") -> Iterator[list[str]]:
    """For Moodle, in points and in percent, to match the assignment's maximum there."""
    yield [*MOODLE, column or "Grade", *MOODLE_ENDS]
    people, asked = on_roster(), table.questions(lab)
    for row in table.rows(lab):
        who = people.get(row.student, {})
        said = [value(who, what) for what in ("login", "number", "mail")]
        yield [
            value(who, "identifier"), name(who) or row.student, said[0] or row.student, *said[1:],
            status(row, asked), points(row.total), points(row.most), points(percent(row)), "",
            comment(row, asked),
        ]  # fmt: skip


def percent(row: Row) -> float | None:
    """The total in percent of all points, from the rounded total, so that both columns agree."""
    return None if row.total is None else 100 * round(row.total, 2) / row.most


def status(row: Row, asked: list[Cell]) -> str:
    """The status of the submission, its lateness, and whether a written answer waits to be graded."""
    waits = "a written answer waits to be graded" if waiting(row, asked) else ""
    notes = "something to decide or to renew" if row.notes else ""
    return ", ".join(part for part in (row.status, lateness(row), waits, notes) if part)


def comment(row: Row, asked: list[Cell]) -> str:
    """The comment for the student, as HTML: the points by question."""
    if row.status == Status.NOT_GRADED_YET:
        return "Not graded yet."  # the reason names the instructor's command
    if row.status in SCORELESS:
        return html.escape(row.reason, quote=False)
    total = f"{points(row.total) or '–'} of {points(row.most)} points"
    earned = ", ".join(
        f"{cell.name} {points(row.scores[cell.name]) or '–'} of {cell.points}"
        + (f" ({row.conditions[cell.name]})" if cell.name in row.conditions else "")
        for cell in asked
    )
    late = lateness(row).capitalize()
    waits = "A written answer is not graded yet." if waiting(row, asked) else ""
    parts = (f"{total}: {earned}.", late and f"{late}.", waits, row.reason)
    return html.escape(" ".join(part for part in parts if part), quote=False)


def waiting(row: Row, asked: list[Cell]) -> int:
    """How many written answers are not graded yet, so that the score is not final."""
    written = [row.scores[cell.name] for cell in asked if cell.kind == "written"]
    return 0 if row.total is None else written.count(None)


def lateness(row: Row) -> str:
    """Lateness and penalty: 'late by 2 d 3 h, 3 points off'; "" for a submission in time."""
    if not row.late:
        return ""
    off = points(row.penalty or None)
    cost = off and f", {off} point{'s' * (off != '1')} off"
    by = " as the platform marks it" if row.late_seconds is None else f" by {span(round(row.late_seconds))}"
    return f"late{by}{cost}"


def span(seconds: float) -> str:
    """A duration in its two largest units, rounded down: 2 d 3 h, 40 min."""
    minutes = int(seconds // 60)
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    first = next((at for at, (count, _) in enumerate(parts) if count), None)
    if first is None:
        return "less than a minute"
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def on_roster() -> dict[str, dict[str, str]]:
    """The rows of roster.csv in the course folder, by student; empty without a roster."""
    path = course.folder() / "roster.csv"
    return roster.read(path).lines if path.is_file() else {}


def name(who: dict[str, str]) -> str:
    """The name of a student, from the roster's row."""
    return value(who, "name") or f"{who.get('first_name', '')} {who.get('last_name', '')}".strip()


def value(who: dict[str, str], what: str) -> str:
    """A value of a roster's row, under the first title of SAYS that exists."""
    return next((who[title] for title in SAYS[what] if who.get(title)), "")


def to_decide(lab: str, found: list[Row]) -> str:
    """A sentence where an instructor has something to decide or to renew; "" if not."""
    count = sum(bool(row.notes) for row in found)
    again = f"`python -m grader report {lab[:2]}` says what."
    return f"With something to decide or to renew: {count}; {again}" if count else ""


def notes(lab: str) -> str:
    """Notes to read before importing the file, one per line."""
    lab = course.lab(lab)
    found, asked, people = table.rows(lab), table.questions(lab), on_roster()
    scored = sum(row.total is not None for row in found)
    late = sum(row.late is True for row in found)
    waits = sum(waiting(row, asked) > 0 for row in found)
    partly = sum(row.status == Status.PARTLY_GRADED for row in found)
    strangers = sum(row.student not in people for row in found)
    lines = (
        f"{scored} of {len(found)} students have a score; the others' cells are empty, not 0.",
        late and f"Late: {late}.",
        waits and f"With a written answer to be graded, and a total without it: {waits}.",
        partly and f"With an exercise whose judge failed, and a total without it: {partly}.",
        to_decide(lab, found),
        strangers and f"Not on the roster, and identified by the student id alone: {strangers}.",
    )
    return "\n".join(line for line in lines if line)
