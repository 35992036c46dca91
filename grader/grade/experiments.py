"""The lab's own experiments are not run again for the grade: no point depends on them, and they take long.

An experiment is a given cell in which the lab tries out what the student wrote, and that leaves the model
as it was. Whatever a student changed or added is run, and so is everything as soon as that reads something
which an experiment made.
"""

import copy
import symtable

from nbformat import NotebookNode

from grader.grade.sanitize import text_output

TAG = "experiment"
NOT_RUN = "Not run again for the grade: no point depends on this cell."
LONGEST = 100_000  # characters of code that are looked into: its tree takes a thousand times the memory
READS_ANYTHING = {"globals", "locals", "vars", "eval", "exec", "get_ipython"}


def spared(notebook: NotebookNode, released: NotebookNode) -> list[int]:
    """Which cells, by index, need not run: experiments as handed out, if no cell that runs needs them."""
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
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # it may read anything
        return []
    return [] if wanted & (made | READS_ANYTHING) else found


def without(notebook: NotebookNode, cells: list[int]) -> NotebookNode:
    """The notebook with nothing in these cells."""
    rest = copy.deepcopy(notebook)
    for index in cells:
        rest.cells[index].source = ""
    return rest


def put_back(executed: NotebookNode, notebook: NotebookNode, cells: list[int]) -> None:
    """Give the executed notebook these cells of the notebook back, saying that they were not run."""
    for index in cells:
        executed.cells[index].source = notebook.cells[index].source
        executed.cells[index].outputs = [text_output(NOT_RUN)]


def bound(text: str) -> set[str]:
    """The names that a cell gives a meaning to."""
    symbols = symtable.symtable(text, "cell", "exec").get_symbols()
    return {each.get_name() for each in symbols if each.is_assigned() or each.is_imported()}


def read(text: str) -> set[str]:
    """The names whose meaning a cell, or a function in it, takes from the notebook."""
    top = symtable.symtable(text, "cell", "exec")
    names = {each.get_name() for each in top.get_symbols() if each.is_referenced()}
    scopes = top.get_children()
    while scopes:
        scope = scopes.pop()
        names |= {each.get_name() for each in scope.get_symbols() if each.is_global()}
        scopes += scope.get_children()
    return names
