"""Aligns the cells of a student's notebook with those of the release, and places missing ones.

Cells are matched, in this order, by

1. grade_id, then by the notebook format's own cell id;
2. source: a check or a text cell by its exact text, an exercise by the function it defines;
3. place, between the neighbours matched so far: an exercise that resembles its stub, a written answer.

If several cells qualify, the best one is used: one that defines the function, then one that differs from
the stub, then one of the right type, then the last one, as in nbgrader. The others remain the student's
own cells. The alignment only decides where a source comes from: points, checks and order are those of the
release.
"""

import difflib
import re
from bisect import bisect_left
from collections import defaultdict

from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_locked, is_solution, is_task

from grader.intake.parse import Cell, plain

ALIKE = 0.6  # minimal share of words in common with the stub, for an exercise matched by place
NEAR = 20  # cells of a gap that are compared
WORDS = 300  # words of a cell that are compared: quadratic time


def wanted(release: list[NotebookNode]) -> list[int]:
    """The indices of the release's graded cells: checks, exercises, written answers."""
    return [
        i
        for i, cell in enumerate(release)
        if is_grade(cell) or is_solution(cell) or is_locked(cell) or is_task(cell)
    ]


def is_exercise(cell: NotebookNode) -> bool:
    """Whether a cell is an exercise: code by the student; its grade_id is the function's name."""
    return is_solution(cell) and cell.cell_type == "code"


def is_answer(cell: NotebookNode) -> bool:
    """Whether a cell is a written answer."""
    return is_solution(cell) and cell.cell_type == "markdown"


def binds(source: str, name: str) -> bool:
    """Whether a line of `source` defines or assigns `name`."""
    called = re.escape(name)
    return bool(
        re.search(rf"^[ \t]*(async[ \t]+)?def[ \t]+{called}[ \t]*\(", source, re.MULTILINE)
        or re.search(rf"^{called}[ \t]*=(?!=)", source, re.MULTILINE)
    )


def matched(cells: list[Cell], release: list[NotebookNode]) -> tuple[dict[int, int], list[str]]:
    """{index in the release: index in the student's notebook}, and flags."""
    graded = wanted(release)
    grade_ids = {i: release[i].metadata.nbgrader.grade_id for i in graded}
    exercises = [i for i in graded if is_exercise(release[i])]
    by_grade_id, by_identity, by_text = defaultdict(list), defaultdict(list), defaultdict(list)
    for cell in cells:
        if type(cell.claims.get("grade_id")) is str:
            by_grade_id[cell.claims["grade_id"]].append(cell)
        if cell.identity:
            by_identity[cell.identity].append(cell)
        if cell.plain:
            by_text[cell.plain].append(cell)
    found: dict[int, int] = {}
    used: set[int] = set()
    flags: list[str] = []

    def take(index: int, candidates: list[Cell], how: str = "") -> None:
        text = plain(release[index].source)
        free = [cell for cell in candidates if cell.index not in used]
        if is_locked(release[index]):  # a check cell with an exercise in it is that exercise
            free = [
                c
                for c in free
                if c.plain == text or not any(binds(c.source, grade_ids[i]) for i in exercises)
            ]
        if index in found or not free:
            return
        best = max(free, key=lambda cell: merit(cell, release[index], text))
        found[index] = best.index
        used.add(best.index)
        if index in graded and how:
            flags.append(f"Cell {grade_ids[index]} had lost its grade_id and was recognised by its {how}.")
        if index in graded and len(free) > 1:
            flags.append(f"Cell {grade_ids[index]} is there {len(free)} times: the notebook's cell "
                         f"{best.index + 1} is taken, and the others are ordinary cells.")  # fmt: skip

    for index in graded:
        take(index, by_grade_id[grade_ids[index]])
    for index, cell in enumerate(release):
        same = by_identity[cell.get("id")]
        take(index, [c for c in same if index in graded or c.plain == plain(cell.source)], "cell id")
    for index, cell in enumerate(release):
        same = [c for c in by_text[plain(cell.source)] if c.index not in used]
        if not is_solution(cell):
            take(index, same if index in graded else same[:1], "source")
    for index in exercises:
        if index not in found:
            take(index, [c for c in cells if binds(c.source, grade_ids[index])], "source")
    for index in graded:
        if index not in found and is_solution(release[index]):
            take(index, in_gap(cells, used, found, index, release[index]), "place")
    return found, flags


def merit(student: Cell, release: NotebookNode, text: str) -> tuple:
    """The sort key of candidates for a cell of the release with source `text`; the greatest is used."""
    right_kind = student.kind == release.cell_type
    if not is_solution(release):
        return student.plain == text, right_kind, student.index
    defines = is_exercise(release) and binds(student.source, release.metadata.nbgrader.grade_id)
    return defines, student.plain not in {text, ""}, right_kind, student.index


def in_gap(
    cells: list[Cell], used: set[int], found: dict[int, int], index: int, release: NotebookNode
) -> list:
    """The only unmatched candidate between the neighbours of release cell `index`, or none."""
    before = [i for i in found if i < index]
    after = [i for i in found if i > index]
    first = found[max(before)] + 1 if before else 0
    end = found[min(after)] if after else len(cells)
    free = [cell for cell in cells[first:end] if cell.index not in used and cell.plain][:NEAR]
    if is_answer(release):
        return [cell for cell in free if cell.kind != "code"][:1]
    alike = [(likeness(cell.source, release.source), -cell.index, cell) for cell in free]
    return [cell for share, _, cell in sorted(alike, key=lambda row: row[:2])[-1:] if share >= ALIKE]


def likeness(one: str, other: str) -> float:
    """The similarity of two sources by their words, 0 to 1."""
    words = [re.findall(r"\w+|[^\w\s]", source[: 20 * WORDS])[:WORDS] for source in (one, other)]
    return difflib.SequenceMatcher(None, *words, autojunk=False).ratio()


def in_place(
    found: dict[int, int], release: list[NotebookNode], length: int
) -> tuple[set[int], dict[int, list[int]]]:
    """The graded cells that keep the student's place, and the others by the student's cell before them.

    The cells that keep their place are a longest sequence in the release's order. Each of the others comes
    right after its nearest predecessor in the release that is present; -1 is the notebook's beginning.
    """
    graded = wanted(release)
    staying = longest_rising([(found[i], i) for i in graded if i in found])
    following: dict[int, list[int]] = {}
    place, previous = None, -1
    for position, index in enumerate(graded):
        if index in staying:
            place = found[index]
        else:
            end = next((found[i] for i in graded[position + 1 :] if i in staying), length)
            start = -1 if place is None else place
            texts = [
                found[i] for i in range(index - 1, previous, -1) if i in found and start < found[i] < end
            ]
            place = texts[0] if texts else end - 1 if place is None else place
            following.setdefault(place, []).append(index)
        previous = index
    return staying, following


def longest_rising(pairs: list[tuple[int, int]]) -> set[int]:
    """The second entries of a longest subsequence whose first entries rise."""
    ends: list[int] = []  # the smallest last entry of a rising sequence of each length
    last: list[int] = []  # the index of that pair
    before: list[int | None] = []
    for position, (value, _) in enumerate(pairs):
        at = bisect_left(ends, value)
        ends[at : at + 1] = [value]
        last[at : at + 1] = [position]
        before.append(last[at - 1] if at else None)
    chosen, position = set(), last[-1] if last else None
    while position is not None:
        chosen.add(pairs[position][1])
        position = before[position]
    return chosen
