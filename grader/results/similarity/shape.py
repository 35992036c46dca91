"""The shape of a program: its syntax tree without what a disguise changes easily.

Names that the program binds become one mark, `a.abs()` and `torch.abs(a)` are one call, `a > b` is `b < a`,
the operands of a sum or product have a fixed order. Comments, docstrings, annotations and the wording of
messages disappear. Names of libraries, functions and attributes stay: they tell `kthvalue` from `topk`, as
independent short answers differ.
"""

import ast
from collections.abc import Iterator
from typing import NamedTuple

DEPTH = 3  # levels of the tree in a fingerprint
UNORDERED = ("Add", "Mult", "BitAnd", "BitOr", "Eq", "NotEq", "And", "Or")
MIRRORED = {"Gt": "Lt", "GtE": "LtE"}
SILENT = (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.Pass, ast.Import,
          ast.ImportFrom, ast.Global, ast.Nonlocal)  # fmt: skip
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


class Node(NamedTuple):
    """A node of the shape. parts: in its expression. body: the statements below it, in no fixed order.

    line: of the program, counted from 1.
    """

    label: str
    parts: tuple["Node", ...]
    body: tuple["Node", ...]
    line: int


def fingerprints(program: ast.Module) -> dict[str, set[int]]:
    """The fingerprints of a program, each with its lines: DEPTH levels of the shape from each node on.

    Nodes with fewer than two parts are left out, and so is the order of statements, which a disguise changes.
    Raises RecursionError for a very deep program.
    """
    found: dict[str, set[int]] = {}
    waiting = [shape(program, set(bound(program)))]
    while waiting:
        node = waiting.pop()
        waiting += node.parts + node.body
        if len(node.parts) > 1 or any(part.parts for part in node.parts):
            found.setdefault(written(node), set()).add(node.line)
    return found


def written(node: Node, depth: int = DEPTH) -> str:
    """A node as text, down to `depth` levels."""
    if depth == 0:
        return "_"
    return f"{node.label}({','.join(written(part, depth - 1) for part in node.parts)})"


def bound(program: ast.AST) -> Iterator[str]:
    """The names that a program binds: parameters, variables, functions, classes, caught exceptions."""
    for node in ast.walk(program):
        match node:
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.ClassDef(name=name):
                yield name
            case ast.ExceptHandler(name=str(name)):
                yield name


def shape(node: ast.AST, own: set[str]) -> Node:
    """The shape of a node; own: the names that the program binds."""
    label, parts = type(node).__name__, list(ast.iter_child_nodes(node))
    match node:
        case ast.Module() | ast.ClassDef():
            label, parts = "body", node.body
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            label, parts = "def", [*node.decorator_list, *node.body]
        case ast.Lambda(body=body):
            label, parts = "def", [body]
        case ast.Name(id=name):
            label = "name" if name in own else name
        case ast.JoinedStr() | ast.Constant(value=str() | bytes()) if is_message(node):
            label, parts = "text", []
        case ast.Constant(value=value):
            label = repr(value)
        case ast.Attribute(value=value, attr=name):
            label, parts = name, receiver(value, own)
        case ast.Call(func=ast.Attribute(value=value, attr=name)):
            label, parts = f"{name}()", [*receiver(value, own), *node.args, *by_name(node.keywords)]
        case ast.Call(func=ast.Name(id=name)):
            label, parts = "name()" if name in own else f"{name}()", [*node.args, *by_name(node.keywords)]
        case ast.keyword(arg=name):
            label = f"{name}="
        case ast.AnnAssign(target=target, value=value):
            label, parts = "Assign", [target, value] if value else []
        case ast.AugAssign(target=target, op=operator, value=value):
            label, parts = "Assign", [target, ast.BinOp(target, operator, value)]
        case ast.BinOp(op=operator) | ast.UnaryOp(op=operator) | ast.BoolOp(op=operator):
            label = type(operator).__name__
        case ast.Compare(ops=operators):
            label = " ".join(type(operator).__name__ for operator in operators)
            if label in MIRRORED:
                label, parts = MIRRORED[label], [node.comparators[0], node.left]
        case ast.Expr(value=value):
            return shape(value, own)._replace(line=node.lineno)
    shapes = [(part, shape(part, own)) for part in parts if not isinstance(part, SILENT)]
    below = [each for part, each in shapes if not isinstance(part, ast.stmt)]
    body = [each for part, each in shapes if isinstance(part, ast.stmt)]
    if label in UNORDERED:
        below.sort(key=written)
    return Node(label, tuple(below), tuple(body), getattr(node, "lineno", 0))


def is_message(node: ast.JoinedStr | ast.Constant) -> bool:
    """Whether a text is prose; a single word, such as a mode, is none."""
    return not isinstance(node, ast.Constant) or len(str(node.value).split()) != 1


def receiver(value: ast.expr, own: set[str]) -> list[ast.expr]:
    """The object of a method, as its first argument; nothing for a module, such as torch.nn.functional."""
    root = value
    while isinstance(root, ast.Attribute):
        root = root.value
    return [] if isinstance(root, ast.Name) and root.id not in own else [value]


def by_name(keywords: list[ast.keyword]) -> list[ast.keyword]:
    """The keyword arguments of a call in one order."""
    return sorted(keywords, key=lambda keyword: keyword.arg or "")
