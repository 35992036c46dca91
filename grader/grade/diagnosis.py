"""Finds the cell that kept a check from a right function.

A cell that ends in an error does not stop the run. So a check that sent no request lacks its function, or
ended in an error of its own; and a function that is wrong may lack what another cell should have set.
"""

import ast
import builtins
import re

from nbformat import NotebookNode

from grader.grade import names
from grader.grade.ends import error, index_of, place
from grader.grade.stops import STUB, Stop, Why
from grader.intake.align import binds
from labsupport.check.judge.kit.verdict import Ending, Verdict

DEFINES = (  # forms of a function, a class or an import, as a magic beside them may not be parsed
    r"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+{}\b",
    r"^[ \t]*(?:from[ \t]+\S+[ \t]+)?import\b.*\b{}\b",
)
TAKES = (r"^(?:for +)?{}(?: *=(?!=)| +in\b| *:[^=\n]+=)",)  # forms of a variable
MOST = 100  # names of a cell that are looked for in the others
LONGEST = 1_000_000  # characters of all code, in which names are looked for; an honest notebook has a tenth
NOT_RUN = {"SyntaxError", "IndentationError", "TabError"}  # no line of such a cell ran


def of(notebook: NotebookNode, numbers: tuple[int, ...], exercise: str, verdict: Verdict) -> Stop | None:
    """What kept the check of an exercise from a right function, if a cell did.

    notebook: as executed, with outputs; numbers: of its cells as submitted.
    """
    if not ran(notebook, exercise) or verdict.status in (Ending.RIGHT, Ending.GIVEN, Ending.FAULT):
        return None
    if verdict.status == Ending.UNASKED:
        return unasked(notebook, numbers, exercise)
    if verdict.status == Ending.UNWRITTEN:
        return None if verdict.cause else unwritten(notebook, numbers, exercise)
    check = index_of(notebook, f"check_{exercise}")
    if failed := error(notebook.cells[check]):
        return Stop(Why.CHECK, exercise, place(notebook, numbers, check), failed)
    code = sum(len(cell.source) for cell in notebook.cells if cell.cell_type == "code")
    causes = (rebound, stub_left, split, needed) if code <= LONGEST else (stub_left, split)
    return next(filter(None, (find(notebook, numbers, exercise) for find in causes)), None)


def ran(notebook: NotebookNode, exercise: str) -> bool:
    """Whether the check cell of an exercise ran to its end."""
    return notebook.cells[index_of(notebook, f"check_{exercise}")].get("execution_count") is not None


def unwritten(notebook: NotebookNode, numbers: tuple[int, ...], exercise: str) -> Stop | None:
    """Why an exercise that seems to be written raises the stub's error."""
    own = index_of(notebook, exercise)
    elsewhere = [
        index
        for index, cell in enumerate(notebook.cells)
        if index != own and cell.cell_type == "code" and binds(cell.source, exercise)
    ]
    if elsewhere:
        return Stop(Why.TWICE, exercise, place(notebook, numbers, elsewhere[-1]))
    return stub_left(notebook, numbers, exercise)


def stub_left(notebook: NotebookNode, numbers: tuple[int, ...], exercise: str) -> Stop | None:
    """The exercise's own cell, if its function is written and still ends with the stub's line."""
    own = index_of(notebook, exercise)
    try:
        body = names.tree(notebook.cells[own].source).body
    except names.NotPython:
        return None
    functions = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == exercise]
    lines = functions[-1].body if functions else []
    written = [line for line in lines if not (isinstance(line, ast.Expr) and is_text(line.value))]
    if len(written) < 2 or any(isinstance(line, ast.Return) for line in written):
        return None
    last = written[-1]
    if not isinstance(last, ast.Raise) or not last.exc or names.root(last.exc) != STUB.split()[-1]:
        return None
    return Stop(Why.STUB, exercise, place(notebook, numbers, own))


def is_text(node: ast.expr) -> bool:
    """Whether an expression is a string, such as a docstring."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def split(notebook: NotebookNode, numbers: tuple[int, ...], exercise: str) -> Stop | None:
    """The failed cell between a function and its check that begins like the rest of a function."""
    own, check = index_of(notebook, exercise), index_of(notebook, f"check_{exercise}")
    for index in range(own + 1, check):
        cell = notebook.cells[index]
        if (failed := error(cell)) and cell.source.lstrip("\r\n")[:1].isspace():
            return Stop(Why.SPLIT, exercise, place(notebook, numbers, index), failed)
    return None


def rebound(notebook: NotebookNode, numbers: tuple[int, ...], exercise: str) -> Stop | None:
    """The cell that gives a name of the function's, or its own, to something else before the check."""
    own, check = index_of(notebook, exercise), index_of(notebook, f"check_{exercise}")
    for name in [exercise, *sorted(globals_of(notebook.cells[own]))]:
        defined, taken = name in dir(builtins), None
        for index, cell in enumerate(notebook.cells[:check]):
            if cell.cell_type != "code":
                continue
            if binding_line(cell.source, name, DEFINES):
                defined, taken = True, None
            elif defined and binding_line(cell.source, name, TAKES):
                taken = index
        if taken is not None:
            return Stop(Why.REBOUND, name, place(notebook, numbers, taken))
    return None


def globals_of(cell: NotebookNode) -> set[str]:
    """The global names that a cell reads, MOST at most; none if it cannot be parsed."""
    try:
        return set(sorted(names.read(cell.source))[:MOST])
    except names.NotPython:
        return set()


def unasked(notebook: NotebookNode, numbers: tuple[int, ...], exercise: str) -> Stop:
    """What stopped the check of an exercise that sent no request."""
    check = index_of(notebook, f"check_{exercise}")
    failed = error(notebook.cells[check])
    at_check = place(notebook, numbers, check)
    if failed is None:
        return Stop(Why.SILENT, exercise, at_check)
    if failed.name != "NameError" or f"'{exercise}'" not in failed.text:
        return Stop(Why.CHECK, exercise, at_check, failed)
    defining = [i for i, cell in enumerate(notebook.cells) if binds(cell.source, exercise)]
    code = [i for i in defining if notebook.cells[i].cell_type == "code"]
    broken = [i for i in code if i < check and error(notebook.cells[i])]
    below = [i for i in code if i > check]
    for why, found in (
        (Why.BROKEN, broken),
        (Why.BELOW, below),
        (Why.LOST, code),
        (Why.TEXT, defining),
    ):
        if found:
            return Stop(why, exercise, place(notebook, numbers, found[-1]), error(notebook.cells[found[-1]]))
    own = index_of(notebook, exercise)
    if own_error := error(notebook.cells[own]):
        return Stop(Why.BROKEN, exercise, place(notebook, numbers, own), own_error)
    others = re.findall(r"^def +(\w+)", notebook.cells[own].source, re.MULTILINE)
    if others:
        return Stop(Why.RENAMED, exercise, place(notebook, numbers, own), other=others[-1])
    return Stop(Why.ABSENT, exercise)


def needed(notebook: NotebookNode, numbers: tuple[int, ...], exercise: str) -> Stop | None:
    """The cell whose error left out a name that the function of an exercise reads, if there is one."""
    own, check = index_of(notebook, exercise), index_of(notebook, f"check_{exercise}")
    above = [(index, cell) for index, cell in enumerate(notebook.cells[:check]) if cell.cell_type == "code"]
    for name in sorted(globals_of(notebook.cells[own])):
        setting = [
            (index, error(cell), line)
            for index, cell in above
            if (line := binding_line(cell.source, name, DEFINES + TAKES))
        ]
        ran = [not end or (end.name not in NOT_RUN and line < end.line) for _, end, line in setting]
        if setting and not any(ran):
            index, failed, _ = setting[-1]
            return Stop(Why.NEEDED, name, place(notebook, numbers, index), failed)
    return None


def binding_line(source: str, name: str, forms: tuple[str, ...]) -> int:
    """The first line of a cell that binds a name in one of these forms, from 1; 0 if none does."""
    patterns = [form.format(re.escape(name)) for form in forms]
    found = [match.start() for each in patterns for match in re.finditer(each, source, re.MULTILINE)]
    return source.count("\n", 0, min(found)) + 1 if found else 0
