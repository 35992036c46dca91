"""A student's minutes: every lab on the course model, run once from top to bottom with its answers in place.

`labsupport check` and the Validate button run the same cells in a fresh kernel, so they take as long.
"""

from nbformat import NotebookNode

from benchmarks.lab_runs import Run, cell_seconds, execute
from benchmarks.table import Row, megabytes, seconds
from grader import course
from grader.author import notebooks

LAB, CHECK, CELL = 180, 20, 40  # seconds: a lab's cells together, one check, one cell without a progress bar
MEMORY = 2_500_000_000  # bytes, resident, torch and the mapped weights included


def run() -> tuple[list[Row], list[str]]:
    """A row for each lab's cells and one for its memory; then the longest check, and the longest silence."""
    runs = {lab: execute(notebooks.source_notebook(lab)) for lab in course.labs()}
    rows = [row for lab, ran in runs.items() for row in of_lab(lab, ran)]
    cells = [(lab, cell) for lab, ran in runs.items() for cell in ran.notebook.cells if is_code(cell)]
    return rows + longest(cells), [
        "A lab's minutes are those of its cells, checks included; Validate runs the same cells once more."
    ]


def of_lab(lab: str, ran: Run) -> list[Row]:
    taken = sum(cell_seconds(cell) for cell in ran.notebook.cells if is_code(cell))
    return [
        Row(f"{lab}: all cells", seconds(LAB), seconds(taken), taken / LAB, "<= 1"),
        Row(f"{lab}: peak memory", megabytes(MEMORY), megabytes(ran.peak), ran.peak / MEMORY, "<= 1"),
    ]


def longest(cells: list[tuple[str, NotebookNode]]) -> list[Row]:
    """The slowest check, and the slowest other cell that shows no bar, among (lab, executed cell)."""
    kinds = {
        "the longest check": (CHECK, is_check),
        "the longest cell without a bar": (CELL, lambda cell: not (is_check(cell) or has_bar(cell))),
    }
    rows = []
    for what, (limit, belongs) in kinds.items():
        taken, lab, cell = max(
            ((cell_seconds(cell), lab, cell) for lab, cell in cells if belongs(cell)),
            key=lambda each: each[0],
        )
        line = cell.source.splitlines()[0][:40]
        rows.append(Row(f"{what}: {lab}, `{line}`", seconds(limit), seconds(taken), taken / limit, "<= 1"))
    return rows


def is_code(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and "execution" in cell.metadata


def is_check(cell: NotebookNode) -> bool:
    return cell.metadata.get("nbgrader", {}).get("grade", False)


def has_bar(cell: NotebookNode) -> bool:
    """Whether the cell showed a progress bar; tqdm's own text, which ends in a carriage return."""
    return any("%|" in output.get("text", "") for output in cell.outputs)
