"""Restores a notebook from a student's cells: it has every graded cell of the release exactly once."""

import ast
import copy
import itertools

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import is_locked

from grader.intake.align import binds, in_place, is_answer, is_exercise, matched, wanted
from grader.intake.parse import Cell, Unreadable, brief, plain

OWN = "cell-"  # begins the ids of a student's own cells
LONGEST = 100_000  # characters of a cell that are parsed: the tree takes a thousand times the memory
CLAIMS = ("points", "grade", "locked", "solution", "task")


def repaired(cells: list[Cell], released: NotebookNode) -> tuple[NotebookNode, list[str], list[int]]:
    """The notebook to grade, flags, and the number of each cell in the student's notebook.

    Graded cells are in the release's order and have the release's metadata; checks have the release's
    source, exercises and written answers the student's. The lab's import cell runs first. The student's
    other cells keep their place among them. Cells are numbered from 1; 0 is a cell that was put back.
    Raises Unreadable when no exercise is recognised.
    """
    release = released.cells
    graded = wanted(release)
    found, flags = matched(cells, release)
    if not any(i in found for i in graded if is_locked(release[i]) or is_exercise(release[i])):
        raise Unreadable("No exercise of this lab was recognised in the notebook: is it another lab's?")
    staying, following = in_place(found, release, len(cells))
    owner = {place: index for index, place in found.items()}
    imports = import_cell(release)
    if imports is not None and not any(plain(release[imports].source) in cell.plain for cell in cells):
        flags.append("The lab's import cell was missing or changed: it is as released again and runs first.")
    if imports is not None and begins_with(first_code(cells), release[imports]):
        imports = None  # nothing to put first
    result, numbers, moved = [], [], 0

    def put(indices: list[int]) -> None:
        for index in indices:
            student = cells[found[index]] if index in found else None
            cell, sentences = restored(release[index], student, cells)
            if student and index not in staying:
                sentences.insert(0, f"{called(cell)} stood out of order and was moved back.")
            result.append(cell)
            numbers.append(student.index + 1 if student else 0)
            flags.extend(sentences)

    put(following.get(-1, []))
    for student in cells:
        index = owner.get(student.index)
        if index not in graded:
            same = index is not None and as_released(student, release[index])
            if same and index == imports:
                moved = student.index + 1
                continue
            result.append(copy.deepcopy(release[index]) if same else ordinary(student))
            numbers.append(student.index + 1)
        elif index in staying:
            put([index])
        put(following.get(student.index, []))
    if imports is not None:
        first = next(place for place, cell in enumerate(result) if cell.cell_type == "code")
        top = min(first, imports)  # where it stands in the release, and above all code
        result.insert(top, copy.deepcopy(release[imports]))
        numbers.insert(top, moved)
    flags += beside(result, release)
    metadata = copy.deepcopy(released.metadata)
    notebook = NotebookNode(
        cells=result, metadata=metadata, nbformat=4, nbformat_minor=released.nbformat_minor
    )
    return notebook, flags, numbers


def beside(result: list[NotebookNode], release: list[NotebookNode]) -> list[str]:
    """A flag for each written answer that is as released, with a text of the student's own below it.

    It would count as left empty.
    """
    empty = {cell.metadata.nbgrader.grade_id: plain(cell.source) for cell in release if is_answer(cell)}
    return [
        f"{called(cell)} is as released, and a text of the student's own stands below it: look at it by hand."
        for cell, below in itertools.pairwise(result)
        if "nbgrader" in cell.metadata
        and plain(cell.source) == empty.get(cell.metadata.nbgrader.grade_id)
        and below.cell_type == "markdown"
        and below.get("id", "").startswith(OWN)
        and plain(below.source)
    ]


def import_cell(release: list[NotebookNode]) -> int | None:
    """The index of the lab's import cell, its first cell of code; None if that does more than import."""
    index = next((i for i, cell in enumerate(release) if cell.cell_type == "code"), None)
    if index is None or "nbgrader" in release[index].metadata:
        return None
    try:
        lines = ast.parse(release[index].source).body
    except SyntaxError:  # a magic in a lab of the instructor's own
        return None
    return index if all(isinstance(line, ast.Import | ast.ImportFrom) for line in lines) else None


def first_code(cells: list[Cell]) -> Cell | None:
    """The student's first cell of code that is not empty."""
    return next((cell for cell in cells if cell.kind == "code" and cell.plain), None)


def begins_with(student: Cell | None, release: NotebookNode) -> bool:
    """Whether a student's cell runs the lab's imports before anything of its own."""
    if student is None or not f"{student.plain}\n".startswith(plain(release.source) + "\n"):
        return False
    if student.plain == plain(release.source):
        return True
    if len(student.source) > LONGEST:
        return False
    try:
        ast.parse(student.source)  # a syntax error anywhere in it would stop the imports too
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def called(cell: NotebookNode) -> str:
    """The name of a graded cell for the beginning of a sentence."""
    return f"Cell {cell.metadata.nbgrader.grade_id}"


def as_released(student: Cell, release: NotebookNode) -> bool:
    """Whether a student's cell is unchanged from the release."""
    return (student.kind, student.source) == (release.cell_type, release.source) and not student.attachments


def restored(
    release: NotebookNode, student: Cell | None, cells: list[Cell]
) -> tuple[NotebookNode, list[str]]:
    """A graded cell with the student's source in it, and flags."""
    cell, flags = copy.deepcopy(release), []
    grade_id = release.metadata.nbgrader.grade_id
    if student is None:
        if is_exercise(release) and any(c.kind == "code" and binds(c.source, grade_id) for c in cells):
            cell.source = (
                f"# {grade_id} is written in another cell of this notebook."  # the stub would redefine it
            )
            return cell, [
                f"{called(cell)} was missing, but another cell defines {grade_id}: that one counts."
            ]
        return cell, [f"{called(cell)} was missing and was put back as released."]
    if student.kind != cell.cell_type:
        flags.append(f"{called(cell)} had become a {student.kind} cell and is a {cell.cell_type} cell again.")
    claims, truth = student.claims, release.metadata.nbgrader
    if claims.get("grade_id") == grade_id:
        changed = [key for key in CLAIMS if claims.get(key, False) != truth.get(key, False)]
        said = ", ".join(f"{key} to {brief(claims.get(key))}" for key in changed)
        if changed:
            flags.append(
                f"{called(cell)} had its nbgrader metadata changed ({said}); it is as released again."
            )
    if not is_locked(release):
        cell.source = student.source
        if cell.cell_type == "markdown" and student.attachments:
            cell.attachments = nbformat.from_dict(student.attachments)
    elif student.plain != plain(release.source):
        flags.append(f"{called(cell)} had been edited and is as released again.")
    return cell, flags


def ordinary(student: Cell) -> NotebookNode:
    """A student's own cell without metadata and outputs; its id says its number."""
    make = getattr(nbformat.v4, f"new_{student.kind}_cell")
    cell = make(student.source, id=f"{OWN}{student.index + 1}")
    if student.attachments:
        cell.attachments = nbformat.from_dict(student.attachments)
    return cell
