"""Skips the lab's experiments under grading, because they take long and no point depends on them.

An experiment is a given cell that tries out the student's functions and does not change the model. Cells
that a student has changed or added always run; if one of them reads a name that an experiment binds, all
experiments run as well.
"""

import copy
import symtable

from nbformat import NotebookNode

from grader.grade.sanitize import text_output

TAG = "experiment"
NOT_RUN = "Not run again for the grade: no point depends on this cell."
LONGEST = 100_000  # characters of code that are parsed: the tree takes a thousand times the memory
READS_ANYTHING = {"globals", "locals", "vars", "eval", "exec", "get_ipython"}


def spared(notebook: NotebookNode, released: NotebookNode) -> list[int]:
    """The indices of cells to skip: unchanged experiments whose names no other cell reads."""
    ours = {cell.source for cell in released.cells if TAG in cell.metadata.get("tags", [])}
    given = {cell.source for cell in released.cells}
    code = {index: cell.source for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"}
    found = [index for index, text in code.items() if text in ours]
    runs = [text for index, text in code.items() if index not in found]
    if sum(map(len, runs)) > LONGEST:
        return []
    try:
        made = set().union(*(bound(code[index]) for index in found))
        wanted = set().union(*(read(text) - (bound(text) if text in given else set()) for text in runs))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # unparsable code may read any name
        return []
    return [] if wanted & (made | READS_ANYTHING) else found


def without(notebook: NotebookNode, cells: list[int]) -> NotebookNode:
    """The notebook with these cells empty."""
    rest = copy.deepcopy(notebook)
    for index in cells:
        rest.cells[index].source = ""
    return rest


def put_back(executed: NotebookNode, notebook: NotebookNode, cells: list[int]) -> None:
    """Restore these cells in the executed notebook, with a note that they were not run."""
    for index in cells:
        executed.cells[index].source = notebook.cells[index].source
        executed.cells[index].outputs = [text_output(NOT_RUN)]


def bound(text: str) -> set[str]:
    """The names that a cell binds."""
    symbols = symtable.symtable(text, "cell", "exec").get_symbols()
    return {each.get_name() for each in symbols if each.is_assigned() or each.is_imported()}


def read(text: str) -> set[str]:
    """The global names that a cell, or a function in it, reads."""
    top = symtable.symtable(text, "cell", "exec")
    names = {each.get_name() for each in top.get_symbols() if each.is_referenced()}
    scopes = top.get_children()
    while scopes:
        scope = scopes.pop()
        names |= {each.get_name() for each in scope.get_symbols() if each.is_global()}
        scopes += scope.get_children()
    return names
