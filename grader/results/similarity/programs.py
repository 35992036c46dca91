"""The programs that are compared: each exercise's function with everything of the same author that it uses.

Sources are parsed and never run. What the release contains already is left out of the comparison.
"""

import ast
import contextlib
import re
import warnings
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import NamedTuple

from nbformat import NotebookNode

from grader import course
from grader.author import source
from grader.intake import admit
from grader.intake.align import is_exercise
from grader.results.similarity.essence import essence, reads
from grader.results.similarity.shape import FUNCTION, fingerprints
from labsupport.progress import bar

LONGEST = 20_000  # characters of a program that are parsed; the longest solution has a tenth
UNPARSED = (SyntaxError, ValueError, RecursionError, MemoryError)
OURS = ("labsupport/given", "labsupport/check/judge")
MAGIC = re.compile(r"^[ \t]*[%!].*$", re.MULTILINE)


class Definition(NamedTuple):
    """A function, class or variable at the top level of a cell; names: those that it reads."""

    text: str
    names: Collection[str]
    is_function: bool


@dataclass(frozen=True)
class Program:
    """A function with what it uses, and its fingerprints, each with its lines of the text."""

    text: str
    prints: dict[str, set[int]]


@dataclass(frozen=True)
class Author:
    """A student, or a file of the course, with a program for each exercise.

    left_out: the exercises that could not be compared, each with the reason.
    """

    name: str
    student: bool
    programs: dict[str, Program]
    left_out: dict[str, str]


def of_student(name: str, raw: bytes, released: NotebookNode) -> Author:
    """The programs in a submission; none if it was refused."""
    admitted = admit.admit(raw, released)
    if isinstance(admitted, admit.Refused):
        return Author(name, True, {}, {})
    given = {cell.source for cell in released.cells}
    cells = [
        cell for cell in admitted.notebook.cells if cell.cell_type == "code" and cell.source not in given
    ]
    written = [cell.metadata.nbgrader.grade_id for cell in cells if is_exercise(cell) and cell.source.strip()]
    return author(name, [cell.source for cell in cells], exercises(released), written)


def author(name: str, cells: Iterable[str], asked: list[str], written: list[str]) -> Author:
    """The student's programs in these cells; written: the exercises that must have one."""
    defined: dict[str, Definition] = {}
    for cell in cells:
        with contextlib.suppress(*UNPARSED):
            defined |= definitions(cell)
    programs, left_out = {}, {}
    for exercise in asked:
        text = program_text(exercise, defined, asked)
        try:
            if text:
                programs[exercise] = program(text)
            elif exercise in written:
                left_out[exercise] = "its cell has no function of that name that can be parsed"
        except UNPARSED:
            left_out[exercise] = f"it is deeper nested, or longer than {LONGEST:,} characters"
    return Author(name, True, programs, left_out)


def exercises(released: NotebookNode) -> list[str]:
    """The exercises of a released notebook."""
    return [cell.metadata.nbgrader.grade_id for cell in released.cells if is_exercise(cell)]


def of_course(lab: str) -> list[Author]:
    """The solution of the lab, and every function of the judges and of given/ as an author of its own.

    Each of these functions is compared with every exercise.
    """
    cells = [cell for cell in source.read(lab) if cell.kind == "exercise"]
    asked = [cell.name for cell in cells]
    solution = author(f"solutions/{lab}.py", (cell.text for cell in cells), asked, [])
    theirs = [Author(name, False, dict.fromkeys(asked, each), {}) for name, each in course_functions()]
    return [Author(solution.name, False, solution.programs, {}), *theirs]


@cache
def course_functions() -> list[tuple[str, Program]]:
    """Every function of the judges and of given/ with what it uses of its file: the file, and the program."""
    found = []
    paths = list(chain.from_iterable(sorted((course.PACKAGES / folder).rglob("*.py")) for folder in OURS))
    for path in bar(paths, "reading the course's own functions", delay=1):
        name = str(path.relative_to(course.PACKAGES / "labsupport")).removeprefix("check/")
        defined = definitions(path.read_text("utf-8"))
        for each, definition in defined.items():
            if definition.is_function:
                found.append((name, program(program_text(each, defined, ()))))
    return found


def given_prints(released: NotebookNode) -> set[str]:
    """The fingerprints of the release: its stubs, and the code that it shows."""
    trees = [parsed(cell.source) for cell in released.cells if cell.cell_type == "code"]
    return set().union(*(fingerprints(essence(tree)) for tree in trees))


def program(text: str) -> Program:
    """A program with its fingerprints; one of UNPARSED is raised for code that cannot be compared."""
    return Program(text, fingerprints(essence(parsed(text))))


def program_text(name: str, defined: dict[str, Definition], others: Collection[str]) -> str:
    """The source of a definition and of those that it uses, but not of `others`; "" if there is none."""
    found: dict[str, str] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each in defined and each not in found and (each == name or each not in others):
            found[each] = defined[each].text
            waiting += sorted(defined[each].names)
    return "\n\n".join(found.values())


def definitions(cell: str) -> dict[str, Definition]:
    """The definitions at the top level of a cell, also below `if`, `try` and `with`."""
    text = cell.replace("\r\n", "\n").replace("\r", "\n")
    lines, found = text.split("\n"), {}
    for node in statements(parsed(text).body):
        if isinstance(node, (*FUNCTION, ast.ClassDef)):
            names, first = [node.name], min(each.lineno for each in (node, *node.decorator_list))
        elif isinstance(node, ast.Assign):
            names, first = [each.id for each in node.targets if isinstance(each, ast.Name)], node.lineno
        else:
            continue
        whole = ast.unparse(node) if node.col_offset else "\n".join(lines[first - 1 : node.end_lineno])
        found |= dict.fromkeys(names, Definition(whole, set(reads(node)), isinstance(node, FUNCTION)))
    return found


def statements(body: list[ast.stmt]) -> Iterable[ast.stmt]:
    """The statements of a body, and of what is nested in it outside functions and classes."""
    for node in body:
        yield node
        if not isinstance(node, (*FUNCTION, ast.ClassDef)):
            for field in ("body", "orelse", "finalbody"):
                yield from statements(getattr(node, field, []))


def parsed(text: str) -> ast.Module:
    """The syntax tree of a cell, without IPython's magics; one of UNPARSED is raised if there is none."""
    if len(text) > LONGEST:
        raise ValueError("too long")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a student's invalid escapes
        try:
            return ast.parse(text)
        except SyntaxError:
            return ast.parse(MAGIC.sub("", text))
