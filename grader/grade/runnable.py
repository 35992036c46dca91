"""The notebook that runs in the sandbox: the one handed in, with three differences.

Experiments that nothing depends on are empty. A check cell does not read the global `check`, which a
student may rebind. The import lines above the first exercise run first, each by itself: a cell that fails
in its first line, as Colab's do here, would leave out the others.
"""

import ast
import copy

from nbformat import NotebookNode, v4

from grader.grade import names
from grader.intake.align import is_exercise

OWN_IMPORTS = "own-imports"  # id of the cell that is added
GUARDED = "try:\n    {}\nexcept Exception:\n    pass"


def runnable(notebook: NotebookNode, released: NotebookNode, spared: list[int]) -> NotebookNode:
    """The notebook to run; spared: the indices of experiments to leave out."""
    result = copy.deepcopy(notebook)
    for index in spared:
        result.cells[index].source = ""
    for cell in result.cells:
        if "nbgrader" in cell.metadata and cell.source.startswith("check."):
            cell.source = f'__import__("labsupport.check").{cell.source}'
    if lines := own_imports(notebook.cells, released):
        source = "\n".join(GUARDED.format(line) for line in lines)
        top = next(index for index, cell in enumerate(result.cells) if cell.cell_type == "code")
        result.cells.insert(top, v4.new_code_cell(source, id=OWN_IMPORTS))
    return result


def as_submitted(executed: NotebookNode, notebook: NotebookNode) -> NotebookNode:
    """The executed notebook with the cells and sources of the one handed in."""
    executed.cells = [cell for cell in executed.cells if cell.id != OWN_IMPORTS]
    for cell, before in zip(executed.cells, notebook.cells, strict=True):
        cell.source = before.source
    return executed


def own_imports(cells: list[NotebookNode], released: NotebookNode) -> list[str]:
    """The import lines of the student's own cells above the first exercise."""
    given = {cell.source for cell in released.cells}
    first = next(i for i, cell in enumerate(cells) if "nbgrader" in cell.metadata and is_exercise(cell))
    own = [cell for cell in cells[:first] if cell.cell_type == "code" and cell.source not in given]
    lines = [line for cell in own for line in cell.source.splitlines()]
    return [line for line in dict.fromkeys(lines) if is_import(line)]


def is_import(line: str) -> bool:
    """Whether a line is one import statement, of named things."""
    if not line.startswith(("import ", "from ")) or line.startswith("from __future__"):
        return False
    try:
        (node,) = names.tree(line).body
    except (names.NotPython, ValueError):
        return False
    return isinstance(node, ast.Import | ast.ImportFrom) and "*" not in [alias.name for alias in node.names]
