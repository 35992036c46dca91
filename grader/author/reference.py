"""The reference functions, read from the exercise cells of solutions/; there is no second copy."""

import ast
from collections.abc import Callable

from grader import course
from grader.author import source


def functions(lab: str) -> dict[str, Callable]:
    """The reference function of every exercise of a lab, by the exercise's name, in its order.

    Runs the exercise cells and, of the plain code cells before them, the imports; no other cell.
    """
    namespace: dict = {"__name__": f"reference.{lab}"}
    found = {}
    for cell in source.read(lab):
        if cell.kind in ("code", "experiment"):
            _run(ast.unparse(imports(cell.text)), cell, namespace)
        elif cell.kind == "exercise":
            _run(cell.text, cell, namespace)
            found[cell.name] = namespace[cell.name]
    return found


def imports(code: str) -> ast.Module:
    """The top-level import statements of a cell; none if the cell is not plain Python (`%time`)."""
    try:
        body = ast.parse(code).body
    except SyntaxError:
        body = []
    return ast.Module([node for node in body if isinstance(node, ast.Import | ast.ImportFrom)], [])


def _run(code: str, cell: source.Cell, namespace: dict) -> None:
    exec(compile(code, str(course.source(cell.lab)), "exec"), namespace)
