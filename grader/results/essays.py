"""Written answers for several people to grade, without names: a CSV for each person, and a page to read.

A row has a code in place of the student. The code is made from the course seed, the student and the work,
so points find their way back (marks.py), and never to other work. Every fifth answer goes to two people.
"""

import contextlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from markupsafe import Markup
from nbformat import NotebookNode

from grader import course
from grader.author.source import Cell
from grader.grade import journal
from grader.grade.journal import Record
from grader.grade.sanitize import GUARD
from grader.intake import spreadsheet, teams
from grader.results import filters, gradebook, table
from grader.results.table import ByHand
from grader.results.templating import template
from grader.status import SCORELESS
from labsupport import files
from labsupport.errors import LabError

TITLES = ("answer", "question", "points", "at_most", "comment", "text", "rubric")
LETTERS = "bcdfghjkmnpqrstvwxz"  # of codes: no word, number or date, which a spreadsheet would change
TWICE = 5  # every fifth answer is graded by two
LONGEST = 30_000  # characters of a spreadsheet's cell


@dataclass(frozen=True)
class Answer:
    """One written answer, of a student or a team. code: in place of names.

    held: its points by hand, None while it waits.
    """

    code: str
    students: list[str]
    question: Cell
    cell: NotebookNode
    held: float | None

    @property
    def key(self) -> tuple[str, str]:
        """Code and question, as people's files have them."""
        return self.code, self.question.name

    @property
    def shown(self) -> Markup:
        """The answer as clean HTML."""
        return Markup(filters.formatted(self.cell))

    @property
    def rubric(self) -> Markup:
        """Model answer and rubric as clean HTML."""
        return Markup(filters.rubric(self.question.name, self.question.lab))


def code(lab: str, student: str, submission: str) -> str:
    """Ten letters in place of a student and the work of this SHA-256."""
    said = hmac.digest(str(course.seed()).encode(), f"{lab} {student} {submission}".encode(), "sha256")
    number, letters = int.from_bytes(said), ""
    for _ in range(10):
        number, place = divmod(number, len(LETTERS))
        letters += LETTERS[place]
    return letters


def answers(lab: str) -> Iterator[Answer]:
    """The written answers to a lab that are in the gradebook, in an order that tells nothing of names."""
    asked = [cell for cell in table.questions(lab) if cell.kind == "written"]
    _, by_hand = table.gradebook(lab)
    for each, (students, record) in sorted(works(lab).items()):
        there = by_hand.get(students[0], ByHand())
        cells = nbformat.reads(record.notebook, as_version=4).cells
        by_id = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in cells}
        for question in asked:
            if question.id in by_id:
                held = None if question.id in there.review else there.scores.get(question.id)
                yield Answer(each, students, question, by_id[question.id], held)


def works(lab: str) -> dict[str, tuple[list[str], Record]]:
    """The students of each work in the gradebook, and its record, by code; a team's work is one."""
    records, found = journal.records(lab), {}
    scored = {row.student for row in table.rows(lab, records) if row.status not in SCORELESS}
    for record in sorted(records, key=lambda record: bool(teams.of(record.student, lab))):  # own work first
        if not record.notebook or record.student not in scored:
            continue
        if gradebook.entered(record) != record.submission:
            continue
        mine = code(lab, record.student, record.submission)
        whose = code(lab, teams.of(record.student, lab), record.submission)
        students, _ = found.setdefault(whose if whose in found else mine, ([], record))
        students.append(record.student)
    return found


# To the people who grade


def write(lab: str, paths: Sequence[Path]) -> list[str]:
    """Write what waits into one CSV a person, and beside each a page to read; sentences. Raises LabError."""
    pages = [path.with_suffix(".html") for path in paths]
    for path in (*paths, *pages):
        if path.exists():
            raise LabError(f"{path} is there already, and may have points in it: name another file.")
    if len({*paths, *pages}) < 2 * len(paths):
        raise LabError("Name a different file, as ada.csv, for each person.")
    waiting = sorted(
        (answer for answer in answers(lab) if answer.held is None),
        key=lambda answer: answer.question.position,
    )
    if not waiting:
        return [f"No written answer to {lab} waits to be graded."]
    made: list[Path] = []
    try:
        for path, page, part in zip(paths, pages, dealt(waiting, len(paths)), strict=True):
            made += [path, page]
            spreadsheet.write(path, [TITLES, *map(row, part)], "utf-8-sig")
            html = template("essays.html").render(title=lab, answers=part, file=path.name)
            files.write_whole(page, html.encode())
    except OSError as problem:
        for path in made:  # none was there before: the same command can be run again
            with contextlib.suppress(OSError):
                path.unlink()
        raise LabError(f"The written answers cannot be written: {problem}.") from problem
    both = f", {len(twice(waiting))} of them to two people" if len(paths) > 1 else ""
    return [f"{len(waiting)} answers{both}: {', '.join(map(str, paths))}"]


def twice(waiting: list[Answer]) -> list[Answer]:
    """The sample that two people grade."""
    return waiting[::TWICE]


def dealt(waiting: list[Answer], people: int) -> list[list[Answer]]:
    """The answers of each person, in order; those of the sample go to two."""
    hands: list[list[Answer]] = [[] for _ in range(people)]
    for place, answer in enumerate(waiting):
        turn = place // TWICE
        one = (place + turn) % people
        hands[one].append(answer)
        if people > 1 and place % TWICE == 0:
            hands[(one + 1 + turn % (people - 1)) % people].append(answer)
    return hands


def row(answer: Answer) -> list[str]:
    """The cells of an answer in the order of TITLES; points and comment are for a person."""
    rubric = filters.rubric_text(answer.question.name, answer.question.lab)
    text = "".join(
        letter if letter.isprintable() or letter == "\n" else " "
        for letter in answer.cell.source.replace(GUARD, "")
    )
    cells = (answer.code, answer.question.name, "", str(answer.question.points), "", text[:LONGEST], rubric)
    return [spreadsheet.harmless(cell) for cell in cells]
