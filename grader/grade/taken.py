"""Finds the exercises of a submission that take the course's own function, without running it.

`NAME = given.NAME` takes one, and so does a function that calls given.NAME, directly or through other names
of the notebook. A later exercise may call an earlier one that was taken: that is no taking.
"""

import ast
import contextlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from grader.author import answers
from grader.grade import names

PACKAGE = "labsupport.given"
MAGIC = re.compile(r"^[ \t\f]*[!%?,;/]|=[ \t\f]*[!%]|\?[ \t\f]*$", re.MULTILINE)  # what may be one
MOST = 500_000  # characters that IPython reads: all of a cell again for each magic in it


def taken(notebook: NotebookNode, exercises: list[str]) -> dict[str, set[str]]:
    """The exercises that take something: by name, the exercises of the lab whose functions they take.

    exercises: all of the lab, in its order.
    """
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    if sum(map(len, texts)) > names.LONGEST or not any("given" in text for text in texts):
        return {}
    if sum(len(text) * len(MAGIC.findall(text)) for text in texts) > MOST:
        return {}
    reads: dict[str, set[str]] = defaultdict(set)  # name -> global names that its definitions read
    takes: dict[str, set[str]] = defaultdict(set)  # name -> exercises that its definitions take
    statements = [node for text in texts for node in _statements(text)]
    package = {"given", PACKAGE, f"{PACKAGE}.exercises"}.union(*map(_names_of_package, statements))
    for node in statements:
        with contextlib.suppress(names.NotPython, *names.UNWRITTEN):
            bound, read = _symbols(node)
            found = set(_accesses(node, package)) & set(exercises)
            for name in bound:
                reads[name] |= read
                takes[name] |= found
    reached = {name: _reached(name, exercises[:place], reads, takes) for place, name in enumerate(exercises)}
    return {name: found for name, found in reached.items() if found}


def lent(takes: Mapping[str, set[str]], points: Mapping[str, float]) -> dict[str, str]:
    """What the sandbox holds of the functions that are taken: the text of a file by exercise.

    points: of all exercises of the lab, in its order. Where neither an exercise nor any after it has points,
    as with a starred one, none needs its function, which may hold the answer of one that has (the power of a
    norm holds Wanda's score). In its place there is a function that says so.
    """
    order = list(points)
    needed = {name for place, name in enumerate(order) if any(points[each] for each in order[place:])}
    names = sorted(set().union(*takes.values()))
    return {name: _given(name) if name in needed else _absent(name) for name in names}


def _given(name: str) -> str:
    """The text of the file with the course's own function."""
    return (answers.FOLDER / f"{name}.py").read_text(encoding="utf-8")


def _absent(name: str) -> str:
    """The text of a file whose function says that it works at home only."""
    why = f"given.{name} has no points: it works at home, and is not here while the lab is graded."
    function = f"def {name}(*args, **kwargs):\n    raise LabError({why!r})\n"
    return f"from labsupport.errors import LabError\n\n\n{function}"


def _reached(name: str, earlier: list[str], reads: dict, takes: dict) -> set[str]:
    """What the definitions of a name take, its own and those of the names that they read, but `earlier`."""
    seen, ahead, found = {*earlier}, [name], set()
    while ahead:
        if (each := ahead.pop()) not in seen:
            seen.add(each)
            ahead += reads.get(each, ())
            found |= takes.get(each, set())
    return found


def _statements(text: str) -> list[ast.stmt]:
    """The statements of a cell; none if it cannot be parsed, because then it does not run either."""
    try:
        return ast.parse(TransformerManager().transform_cell(text)).body
    except (SyntaxError, ValueError, RuntimeError, MemoryError):  # also for more magics than IPython takes
        return []


def _symbols(node: ast.stmt) -> tuple[set[str], set[str]]:
    """The global names that a statement defines or stores into, and those that it or its functions read.

    Raises NotPython or one of UNWRITTEN for a statement that cannot be written down.
    """
    text = ast.unparse(node)
    stored = {names.root(each) for each in ast.walk(node) if isinstance(each, ast.Attribute | ast.Subscript)
              and isinstance(each.ctx, ast.Store)}  # fmt: skip
    return names.bound(text) | stored, names.read(text)


def _names_of_package(statement: ast.stmt) -> set[str]:
    """The names that imports in a statement give to the package labsupport.given."""
    found = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.ImportFrom) and node.module == "labsupport":
            found |= {alias.asname or alias.name for alias in node.names if alias.name == "given"}
        elif isinstance(node, ast.Import):
            found |= {alias.asname for alias in node.names if alias.name == PACKAGE and alias.asname}
    return found


def _accesses(statement: ast.stmt, package: set[str]) -> Iterator[str]:
    """The names that a statement takes from the package, as attributes or by import; package: its names."""
    for node in ast.walk(statement):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            direct = node.module in (PACKAGE, f"{PACKAGE}.exercises")
            yield from [alias.name for alias in node.names] if direct else [str(node.module).split(".")[-1]]
        elif isinstance(node, ast.Attribute) and _dotted(node.value) in package:
            yield node.attr


def _dotted(node: ast.expr) -> str:
    """A name with few dots, such as labsupport.given; "" for any other expression, whatever its length."""
    parts = []
    while isinstance(node, ast.Attribute) and len(parts) < PACKAGE.count(".") + 1:
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""
