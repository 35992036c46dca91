"""Points and comments for written answers, from the CSVs of the people who graded them (essays.py).

Where two people's points differ, or others are in the gradebook, nothing is entered: a person decides.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook

from grader.intake import spreadsheet
from grader.results import penalties, table
from grader.results.essays import TITLES, Answer, answers
from grader.results.table import points
from labsupport.errors import LabError


@dataclass(frozen=True)
class Mark:
    """The points and the comment of one person for an answer. place: the file, for messages."""

    place: str
    points: float
    comment: str


def read(lab: str, paths: Sequence[Path]) -> tuple[list[str], bool]:
    """Enter the points of people's CSVs into the gradebook; sentences, and whether a person must look.

    Points that are there stand. Raises LabError, and enters nothing, for a file that cannot be read, or that
    is named twice, and for points beyond the question's.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise LabError("One of these files is named twice: name each person's file once.")
    known = {answer.key: answer for answer in answers(lab)}
    marks: dict[tuple[str, str], list[Mark]] = defaultdict(list)
    most = {cell.name: cell.points for cell in table.questions(lab) if cell.kind == "written"}
    for key, mark in chain.from_iterable(marked(path, most) for path in paths):
        marks[key].append(mark)
    strange = sorted(marks.keys() - known.keys())
    said = [
        f"{' '.join(key)}: no work in the gradebook has this code now; nothing entered." for key in strange
    ]
    double = sum(len(marks[key]) > 1 for key in marks)
    alike = sum(len(each) > 1 and same(each) for each in marks.values())
    for key, answer in known.items():
        if key in marks and answer.held is not None:
            marks[key].append(Mark("the gradebook", answer.held, ""))
    differ = sorted(key for key in marks.keys() & known.keys() if not same(marks[key]))
    for key in differ:
        each = ", ".join(f"{points(mark.points)} in {mark.place}" for mark in marks[key])
        said.append(f"{' '.join(key)}: {each}; nothing entered.")
    agreed = sorted(marks.keys() & known.keys() - {*differ})
    with table.opened() as book:
        if book is not None:
            for key in agreed:
                enter(book, lab, known[key], marks[key])
            penalties.reckon(lab, book)
            book.db.commit()
    left = sum(answer.held is None and key not in agreed for key, answer in known.items())
    said += [f"{double} answers were graded by two people, {alike} of them alike."] if double else []
    return [*said, f"{lab}: {len(agreed)} answers entered, {left} wait."], bool(differ or strange)


def same(marks: list[Mark]) -> bool:
    """Whether all have the same points."""
    return len({mark.points for mark in marks}) == 1


def marked(path: Path, most: dict[str, int]) -> Iterator[tuple[tuple[str, str], Mark]]:
    """The points in one person's file by code and question. Raises LabError."""
    rows = spreadsheet.table(path)
    if not {*TITLES[:3]} <= set(spreadsheet.titles_of(rows)):
        raise LabError(f"{path} needs the columns {', '.join(TITLES[:3])}.")
    for title in TITLES:
        spreadsheet.once(rows, title, path)
    seen = set()
    for line in spreadsheet.lines(rows, TITLES):
        key = (line["answer"], line["question"])
        if not line["points"]:
            continue
        if key in seen:
            raise LabError(f"{path} has the answer {' '.join(key)} twice.")
        seen.add(key)
        try:
            given = float(line["points"].replace(",", "."))
        except ValueError:
            given = -1.0
        if not 0 <= given <= most.get(line["question"], 0):
            raise LabError(
                f"{path} has {line['points']} points for {' '.join(key)}: the question has "
                f"{most.get(line['question'], 0)}."
            )
        yield key, Mark(path.name, given, line["comment"])


def enter(book: Gradebook, lab: str, answer: Answer, marks: list[Mark]) -> None:
    """Enter the points and comments for one answer."""
    comments = dict.fromkeys(mark.comment for mark in marks if mark.comment)
    for student in answer.students:
        where = (answer.question.id, lab, lab, student)
        grade: Any = book.find_grade(*where)  # nbgrader's columns are untyped
        grade.manual_score, grade.needs_manual_grade = marks[0].points, False
        if comments:
            comment: Any = book.find_comment(*where)
            comment.manual_comment = "\n\n".join(comments)
