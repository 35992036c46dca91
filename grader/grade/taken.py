"""Finds the exercises of a submission that take the course's own function, without running it.

`NAME = given.NAME` takes one, and so does a function that calls given.NAME, directly or through other names
of the notebook. A later exercise may call an earlier one that was taken: that is no taking.
"""

import ast
import symtable
from collections import defaultdict
from collections.abc import Iterator

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

PACKAGE = "labsupport.given"
LONGEST = 100_000  # characters of code that are parsed; in a longer notebook nothing is taken


def taken(notebook: NotebookNode, exercises: list[str]) -> dict[str, set[str]]:
    """The exercises that take something: by name, the exercises of the lab whose functions they take.

    exercises: all of the lab, in its order.
    """
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    if sum(map(len, texts)) > LONGEST or not any("given" in text for text in texts):
        return {}
    reads: dict[str, set[str]] = defaultdict(set)  # name -> global names that its definitions read
    takes: dict[str, set[str]] = defaultdict(set)  # name -> exercises that its definitions take
    statements = [node for text in texts for node in _statements(text)]
    names = {"given"}.union(*(_names_of_package(node) for node in statements))
    for node in statements:
        bound, read = _symbols(node)
        found = set(_accesses(node, names)) & set(exercises)
        for name in bound:
            reads[name] |= read
            takes[name] |= found
    reached = {name: _reached(name, exercises[:place], reads, takes) for place, name in enumerate(exercises)}
    return {name: found for name, found in reached.items() if found}


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
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _symbols(node: ast.stmt) -> tuple[set[str], set[str]]:
    """The global names that a statement defines or stores into, and those that it or its functions read."""
    top = symtable.symtable(ast.unparse(node), "cell", "exec")
    bound = {each.get_name() for each in top.get_symbols() if each.is_assigned() or each.is_imported()}
    bound |= {root.id for each in ast.walk(node) if (root := _stored_into(each))}
    read = {each.get_name() for each in top.get_symbols() if each.is_referenced()}
    scopes = top.get_children()
    while scopes:
        scope = scopes.pop()
        read |= {each.get_name() for each in scope.get_symbols() if each.is_global()}
        bound |= {each.get_name() for each in scope.get_symbols() if each.is_declared_global()}
        scopes += scope.get_children()
    return bound, read


def _stored_into(node: ast.AST) -> ast.Name | None:
    """The name a of a target such as a.b or a[0].b."""
    if not isinstance(node, ast.Attribute | ast.Subscript) or not isinstance(node.ctx, ast.Store):
        return None
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute | ast.Subscript):
        inner = inner.value
    return inner if isinstance(inner, ast.Name) else None


def _names_of_package(statement: ast.stmt) -> set[str]:
    """The names that imports in a statement give to the package labsupport.given."""
    found = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.ImportFrom) and node.module == "labsupport":
            found |= {alias.asname or alias.name for alias in node.names if alias.name == "given"}
        elif isinstance(node, ast.Import):
            found |= {alias.asname for alias in node.names if alias.name == PACKAGE and alias.asname}
    return found


def _accesses(statement: ast.stmt, names: set[str]) -> Iterator[str]:
    """The names that a statement takes from the package, as attributes or by import."""
    for node in ast.walk(statement):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            direct = node.module in (PACKAGE, f"{PACKAGE}.exercises")
            yield from [alias.name for alias in node.names] if direct else [str(node.module).split(".")[-1]]
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in {
            *names,
            PACKAGE,
            f"{PACKAGE}.exercises",
        }:
            yield node.attr
