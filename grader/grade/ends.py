"""The end of an executed cell: its error with the line, read from its outputs, and its place.

Outputs are the notebook's word: they explain a verdict, and never change a score.
"""

import re
from collections.abc import Iterator

from nbformat import NotebookNode

from grader.grade.stops import Error, Place
from grader.intake.parse import shown

TEXT = 200  # characters shown of an error's text
USAGE = re.compile(r"^UsageError: (.*)", re.MULTILINE)  # IPython prints it and raises nothing
COLOUR = re.compile(r"\x1b\[[\d;]{0,40}m")
COMPILED = re.compile(r" ?\(\d+\.py, line \d+\)$")  # IPython's name of a cell, after a syntax error's text


def index_of(notebook: NotebookNode, grade_id: str) -> int:
    """The index of a graded cell."""
    return next(
        index
        for index, cell in enumerate(notebook.cells)
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    )


def place(notebook: NotebookNode, numbers: tuple[int, ...], index: int) -> Place:
    """The place of a cell for its reader."""
    return Place(numbers[index], heading(notebook, index))


def heading(notebook: NotebookNode, index: int) -> str:
    """The last heading above a cell; "" if there is none."""
    for cell in reversed(notebook.cells[:index]):
        lines = cell.source.splitlines() if cell.cell_type == "markdown" else []
        for line in lines:
            if line.startswith("#") and (text := line.lstrip("#").strip()):
                return shown(text)
    return ""


def error(cell: NotebookNode) -> Error | None:
    """The error that ended a cell, or None."""
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            name, text = str(output.get("ename")), str(output.get("evalue")).strip()
            text = COMPILED.sub("", text.split("\n")[0]).rstrip(".")
            return Error(shown(name), shown(text, TEXT), line(output, cell))
    for text in usage(cell):
        return Error("UsageError", shown(text.strip().rstrip("."), TEXT))
    return None


def usage(cell: NotebookNode) -> Iterator[str]:
    """The texts of IPython's own errors, on a magic that does not exist or is called wrongly."""
    for output in cell.get("outputs", []):
        if output.output_type == "stream" and output.get("name") == "stderr":
            yield from USAGE.findall(str(output.text)[:10_000])


def line(output: NotebookNode, cell: NotebookNode) -> int:
    """The line of the last frame of a traceback that lies in this cell; 0 if there is none."""
    text = COLOUR.sub("", "\n".join(map(str, output.get("traceback", [])))[:200_000])
    found = re.findall(rf"^ *Cell In\[{cell.get('execution_count')}\], line (\d{{1,6}})", text, re.MULTILINE)
    return int(found[-1]) if found else 0
