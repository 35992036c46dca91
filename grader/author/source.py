"""Parses the source of a lab, solutions/NN_topic.py, into typed cells; LabError for a malformed one."""

import ast
import itertools
import re
from dataclasses import dataclass

import jupytext

from grader import course
from labsupport.check.judge import EXERCISES
from labsupport.errors import LabError

HEADERS = {"exercise": "code", "check": "code", "written": "markdown"}
CHECK = "check_"  # prefix of a check cell's grade_id, before the exercise's name
KNOWN = "exercise=NAME, check=NAME points=N, experiment, [markdown] written=NAME points=N, [markdown] answer"
BEGIN, END = "BEGIN SOLUTION", "END SOLUTION"


@dataclass(frozen=True)
class Cell:
    """One cell. kind: prose, code, experiment, exercise, check, written or answer; name: of its exercise."""

    lab: str
    position: int  # counted from 1
    kind: str
    name: str
    points: int
    text: str

    @property
    def id(self) -> str:
        """The cell id of the notebooks, and nbgrader's grade id of a named cell."""
        if not self.name:
            return f"{self.lab[:2]}-{self.position:03d}"
        return CHECK + self.name if self.kind == "check" else self.name

    def refuse(self, problem: str) -> LabError:
        """A LabError on this cell: file, cell, one sentence."""
        return _refused(self.lab, self.position, f"{self.kind} {self.name}".strip(), problem)


def read(lab: str) -> list[Cell]:
    """The cells of a lab, by its full name. Raises LabError where the source is malformed."""
    path = course.source(lab)
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    cells = [_cell(lab, position, raw) for position, raw in enumerate(notebook.cells, 1)]
    seen: dict[str, Cell] = {}
    for cell in cells:
        _check_alone(cell)
        if cell.id in seen:
            raise cell.refuse(f"cell {seen[cell.id].position} is called {cell.id} already")
        if cell.kind == "check" and cell.name not in seen:
            raise cell.refuse("no exercise of that name stands before it")
        seen[cell.id] = cell
    for cell in cells:
        if cell.kind == "exercise" and CHECK + cell.name not in seen:
            raise cell.refuse(f'it has no check: write `# %% check="{cell.name}" points=N` after it')
    return cells


def rubric(lab: str, question: str) -> str:
    """The model answer of a written question and the `answer` cells below it. LabError for another name."""
    cells = read(lab)
    at = next(
        (place for place, cell in enumerate(cells) if (cell.kind, cell.name) == ("written", question)), None
    )
    if at is None:
        raise LabError(f"{lab} has no written question {question}.")
    below = itertools.takewhile(lambda cell: cell.kind == "answer", cells[at + 1 :])
    return "\n\n".join(cell.text for cell in (cells[at], *below))


def _refused(lab: str, position: int, what: str, problem: str) -> LabError:
    return LabError(f"solutions/{lab}.py, cell {position} ({what}): {problem}.")


def _cell(lab: str, position: int, raw) -> Cell:
    header = {key: value for key, value in raw.metadata.items() if key != "lines_to_next_cell"}
    points = header.pop("points", None)
    said = list(header)
    if raw.cell_type == "markdown" and header == {"title": "answer"}:
        kind, name = "answer", ""
    elif raw.cell_type == "code" and header == {"title": "experiment"}:
        kind, name = "experiment", ""
    elif not said and raw.cell_type in ("markdown", "code"):
        kind, name = "prose" if raw.cell_type == "markdown" else "code", ""
    elif len(said) == 1 and HEADERS.get(said[0]) == raw.cell_type:
        kind, name = said[0], str(header[said[0]])
    else:
        what = ", ".join([raw.cell_type, *said])
        raise _refused(lab, position, what, f"its header is none of those a lab knows: {KNOWN}")
    cell = Cell(lab, position, kind, name, points if kind in ("check", "written") else 0, raw.source)
    if kind not in ("check", "written"):
        if points is not None:
            raise cell.refuse("only a check or a written question has points")
    elif type(points) is not int or points < 0:
        raise cell.refuse(
            "it needs points=N, a whole number; 0 for a starred one, or where it counts no more"
        )
    return cell


def _check_alone(cell: Cell) -> None:
    """Raise LabError for a cell that is malformed by itself, without regard to other cells."""
    if cell.kind in HEADERS and not re.fullmatch("[a-z][a-z0-9_]*", cell.name):
        raise cell.refuse("a name is made of small letters, digits and _, and begins with a letter")
    if len(cell.id) > 64:
        raise cell.refuse("its name is too long: a cell id has 64 characters at most")
    if cell.kind in ("exercise", "check") and cell.name not in EXERCISES:
        raise cell.refuse(f"labsupport.check knows no exercise of that name; known: {', '.join(EXERCISES)}")
    if cell.kind == "check" and cell.text != (line := f"check.{cell.name}({cell.name})"):
        raise cell.refuse(f"a check cell is exactly the one line {line}")
    if cell.kind == "written" and not cell.text.strip():
        raise cell.refuse("it must hold the model answer")
    marks = [mark for line in cell.text.splitlines() for mark in (BEGIN, END) if mark in line]
    if cell.kind != "exercise":
        if marks:
            raise cell.refuse(f"only an exercise cell may hold {marks[0]}")
        return
    if marks != [BEGIN, END]:
        said = " then ".join(marks) or "none"
        raise cell.refuse(f"it needs one solution region, ### {BEGIN} then ### {END}; it has {said}")
    try:
        defined = [node.name for node in ast.parse(cell.text).body if isinstance(node, ast.FunctionDef)]
    except SyntaxError as problem:
        raise cell.refuse(f"it is not Python: {problem.msg} in its line {problem.lineno}") from problem
    if cell.name not in defined:
        raise cell.refuse(f"it must define the function {cell.name}")
