"""The global names that a cell binds and reads, by Python's own symbol table."""

import ast
import symtable
from collections.abc import Iterator

LONGEST = 100_000  # characters that are parsed: the tree takes a thousand times the memory
UNWRITTEN = (RecursionError, ValueError)  # by ast for a tree too deep, or a number of thousands of digits


class NotPython(Exception):
    """A cell that cannot be parsed, or is too long for it."""


def tree(text: str) -> ast.Module:
    """The syntax tree of a cell. Raises NotPython, for example for a magic."""
    if len(text) > LONGEST:
        raise NotPython
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise NotPython from problem


def table(text: str) -> symtable.SymbolTable:
    """The symbol table of a cell. Raises NotPython."""
    parsed = tree(text)
    try:
        return symtable.symtable(ast.unparse(Apart().visit(parsed)), "cell", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise NotPython from problem


class Apart(ast.NodeTransformer):
    """Makes generators of comprehensions: from Python 3.12 on these have no symbol table of their own.

    There `[x for x in y]` would bind x in the cell, which it does not.
    """

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp) -> ast.GeneratorExp:
        self.generic_visit(node)
        return ast.GeneratorExp(node.elt, node.generators)

    visit_SetComp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> ast.GeneratorExp:
        self.generic_visit(node)
        return ast.GeneratorExp(ast.Tuple([node.key, node.value], ast.Load()), node.generators)


def bound(text: str) -> set[str]:
    """The names that a cell binds, functions with a `global` statement included. Raises NotPython."""
    top, *inner = scopes(table(text))
    names = {each.get_name() for each in top.get_symbols() if each.is_assigned() or each.is_imported()}
    for scope in inner:
        names |= {each.get_name() for each in scope.get_symbols() if each.is_declared_global()}
    return names


def assigned(text: str) -> set[str]:
    """The names that a cell binds to a value that may change: neither a function, class or module, nor a
    constant. Raises NotPython.
    """
    symbols = table(text).get_symbols()
    values = {
        each.get_name()
        for each in symbols
        if each.is_assigned() and not each.is_imported() and not each.is_namespace()
    }
    constant = {
        target.id
        for node in tree(text).body
        if isinstance(node, ast.Assign) and is_constant(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return values - constant


def is_constant(node: ast.expr) -> bool:
    """Whether an expression is a number, a text or a tuple of those: nothing that can change."""
    if isinstance(node, ast.Tuple):
        return all(is_constant(each) for each in node.elts)
    if isinstance(node, ast.UnaryOp):
        return is_constant(node.operand)
    return isinstance(node, ast.Constant)


def read(text: str) -> set[str]:
    """The global names that a cell, or a function in it, reads, changes or deletes. Raises NotPython."""
    top, *inner = scopes(table(text))
    names = {each.get_name() for each in top.get_symbols() if each.is_referenced()}
    for scope in inner:
        names |= {each.get_name() for each in scope.get_symbols() if each.is_global()}
        if scope.get_type() == "class":  # `half = half` in a class reads the global one
            names |= {each.get_name() for each in scope.get_symbols() if each.is_referenced()}
    return names | set(changed(tree(text).body))


def read_inside(text: str) -> set[str]:
    """The global names that functions and classes of a cell read. Raises NotPython."""
    _, *inner = scopes(table(text))
    return {each.get_name() for scope in inner for each in scope.get_symbols() if each.is_global()}


def scopes(top: symtable.SymbolTable) -> list[symtable.SymbolTable]:
    """A table and all tables within it, itself first."""
    found = [top]
    for table in found:
        found += table.get_children()
    return found


def changed(body: list) -> Iterator[str]:
    """The names that statements outside functions delete or change, as in `x += 1`: both read them."""
    ahead = list(body)
    while ahead:
        node = ahead.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.AugAssign | ast.Delete):
            targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
            yield from (each.id for each in targets if isinstance(each, ast.Name))
        ahead += ast.iter_child_nodes(node)


def root(node: ast.AST) -> str:
    """The name at the beginning of an expression such as `a.b[0].c()`; "" for another expression."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
