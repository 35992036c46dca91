"""Skips the lab's experiments under grading, because they take long and no point depends on them.

An experiment is a given cell that tries out the student's functions. Cells that a student has changed or
added always run. All experiments run too unless that code is seen to read nothing that they bind or may
change, to use no name that nobody binds, and to be neither opaque nor keeping state (see opaque.py).
"""

import ast

from nbformat import NotebookNode

from grader.grade import handed, names
from grader.grade.names import assigned, bound, read
from grader.grade.opaque import SAFE, opaque
from grader.grade.sanitize import text_output

TAG = "experiment"
NOT_RUN = "Not run again for the grade: no point depends on this cell."
AS_HANDED_IN = f"{NOT_RUN} Below is your own output, as you handed it in."
INTERACTIVE = {"In", "Out", "_", "__", "___"}  # of IPython, even where a student binds them too


def spared(notebook: NotebookNode, released: NotebookNode) -> list[int]:
    """The indices of cells to skip: the unchanged experiments, or none if any may be needed."""
    ours = {cell.source for cell in released.cells if TAG in cell.metadata.get("tags", [])}
    given = {cell.source for cell in released.cells} - ours
    code = {index: cell.source for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"}
    kept = [text for text in code.values() if text in given]
    written = [text for text in code.values() if text not in given | ours]
    try:
        if sum(map(len, written)) > names.LONGEST:
            raise names.NotPython
        own = [without_imports(text, given) for text in written]
        needed = are_needed([text for text in code.values() if text in ours], kept, written, own)
    except (names.NotPython, *names.UNWRITTEN):  # it may read any name
        needed = True
    return [] if needed else [index for index, text in code.items() if text in ours]


def are_needed(experiments: list[str], kept: list[str], written: list[str], own: list[str]) -> bool:
    """Whether the lab's other cells or a student's code may depend on experiments. Raises NotPython.

    own: what is written, without the imports that the lab makes itself.
    """
    made = union(bound, experiments)
    if any((read(text) - bound(text)) & made for text in kept):
        return True
    changed = union(assigned, kept) & union(read, experiments)  # the model, for example
    known = (union(bound, kept) | union(bound, written) | SAFE) - INTERACTIVE
    wanted = union(read, written)
    if wanted & (made | changed) or wanted - known or any(map(opaque, own)):
        return True
    return bool(union(assigned, written) & (union(read, kept) | union(names.read_inside, written)))


def without_imports(text: str, given: set[str]) -> str:
    """A student's cell without the imports that the lab's cells make. Raises NotPython."""
    labs = {ast.dump(node) for each in given if "import" in each for node in _imports(each)}
    return ast.unparse(ast.Module([node for node in names.tree(text).body if ast.dump(node) not in labs], []))


def _imports(text: str) -> list[ast.stmt]:
    """The imports of a lab's cell; none of one that is no Python, such as prose or a magic."""
    try:
        return [node for node in names.tree(text).body if isinstance(node, ast.Import | ast.ImportFrom)]
    except names.NotPython:
        return []


def union(of, texts: list[str]) -> set[str]:
    """The names that `of` finds in these cells."""
    return set().union(*map(of, texts))


def note(executed: NotebookNode, cells: list[int], raw: bytes, numbers: tuple[int, ...]) -> None:
    """Say below these cells that they were not run, and show what the student's own run gave.

    raw: the submitted notebook. numbers: where its cells stand there, from 1, 0 for those that were put back.
    """
    for index in cells:
        own = handed.outputs(raw, numbers[index])
        executed.cells[index].outputs = [text_output(AS_HANDED_IN if own else NOT_RUN), *own]
