"""What is done to a copied program so that it looks different. Each takes a source and returns another."""

import ast
import builtins

KEPT = set(dir(builtins)) | {"torch", "self"}
INSERTED = """
unused = 0
table = [i * 2 for i in range(3)]
if False:
    raise RuntimeError("never")
print("here")
assert unused == 0
"""
COUNTED = """
counter = 0
for step in range(3):
    counter += step
if counter < 0:
    return None
"""


def rename(source: str, keep: tuple[str, ...] = ()) -> str:
    """Every variable, parameter and helper has another name; comments and docstrings are gone."""
    tree = ast.parse(source)
    names = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    other = {name: f"z{number}_{name[::-1]}" for number, name in enumerate(sorted(names - KEPT - set(keep)))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = other.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg, node.annotation = other.get(node.arg, node.arg), None
        elif isinstance(node, ast.FunctionDef):
            node.name, node.returns = other.get(node.name, node.name), None
            if ast.get_docstring(node) is not None and len(node.body) > 1:
                node.body = node.body[1:]
    return ast.unparse(tree)


def comments(source: str, keep: tuple[str, ...] = ()) -> str:
    """Other comments, other layout, a docstring more."""
    lines = [
        f"{line}  # step {number}" for number, line in enumerate(ast.unparse(ast.parse(source)).split("\n"))
    ]
    return "# my own work\n" + "\n\n".join(lines) if '"""' not in source else "# my own work\n" + source


def reorder(source: str, keep: tuple[str, ...] = ()) -> str:
    """Renamed, and neighbours change places where neither needs the other."""
    tree = ast.parse(rename(source, keep))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        place = 0
        while isinstance(body, list) and place + 1 < len(body):
            if independent(body[place], body[place + 1]):
                body[place : place + 2] = body[place + 1], body[place]
                place += 1
            place += 1
    return ast.unparse(tree)


def independent(one: ast.stmt, other: ast.stmt) -> bool:
    """Whether two statements can change places; none that returns or raises can."""
    nodes = [list(ast.walk(each)) for each in (one, other)]
    if any(isinstance(node, ast.Return | ast.Raise | ast.Yield) for each in nodes for node in each):
        return False
    names = [[node for node in each if isinstance(node, ast.Name)] for each in nodes]
    all_names = [{node.id for node in each} for each in names]
    stored = [{node.id for node in each if not isinstance(node.ctx, ast.Load)} for each in names]
    return not (stored[0] & all_names[1] or stored[1] & all_names[0])


def insert(source: str, keep: tuple[str, ...] = ()) -> str:
    """Renamed, with code that does nothing."""
    return inserted(rename(source, keep), INSERTED)


def insert_a_loop(source: str, keep: tuple[str, ...] = ()) -> str:
    """Renamed, with code that does nothing although it seems to."""
    return inserted(rename(source, keep), COUNTED)


def inserted(source: str, code: str) -> str:
    """A source with code at the beginning of its first function."""
    tree = ast.parse(source)
    wrapped = ast.parse("def f():\n" + "\n".join(f"    {line}" for line in code.splitlines()))
    first = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    first.body[:0] = wrapped.body[0].body  # type: ignore[attr-defined]
    return ast.unparse(tree)


def name_results(source: str, keep: tuple[str, ...] = ()) -> str:
    """Renamed, and every result has a name before it is returned."""
    tree = ast.parse(rename(source, keep))
    for node in ast.walk(tree):
        for body in (getattr(node, field, None) for field in ("body", "orelse")):
            if isinstance(body, list) and body and isinstance(body[-1], ast.Return) and body[-1].value:
                name = f"result_{body[-1].lineno}"
                body[-1:] = [
                    ast.Assign([ast.Name(name, ast.Store())], body[-1].value),
                    ast.Return(ast.Name(name, ast.Load())),
                ]
    return ast.unparse(ast.fix_missing_locations(tree))


def flip(source: str, keep: tuple[str, ...] = ()) -> str:
    """Renamed, with sums, products and comparisons turned around, and +=  written out."""
    tree = ast.parse(rename(source, keep))
    mirrored = {ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Lt: ast.Gt, ast.LtE: ast.GtE}
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mult):
            node.left, node.right = node.right, node.left
        elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in mirrored:
            node.ops = [mirrored[type(node.ops[0])]()]
            node.left, node.comparators = node.comparators[0], [node.left]
    return ast.unparse(tree)


def everything(source: str, keep: tuple[str, ...] = ()) -> str:
    """All of it."""
    return name_results(inserted(flip(reorder(source, keep), keep), INSERTED + COUNTED), keep)


DISGUISES = [rename, comments, reorder, insert, insert_a_loop, name_results, flip, everything]
