"""A program without what does nothing, and without names for what is used once.

What is inserted to disguise a copy disappears: values that nothing reads, branches that are never taken,
asserts, prints. A name that is assigned once and read once is replaced by its value, because a formula on
two lines is the same as on one.
"""

import ast
from collections import Counter


def essence(program: ast.Module) -> ast.Module:
    """Change a program in place, and return it. The definitions at its top level stay."""
    top = {node.name for node in program.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    idle = None
    while idle is None or idle.removed:  # what is removed may have been the only reader of another value
        idle = Idle(top | set(reads(program)))
        idle.visit(program)
    for node in program.body:
        Inlined(node).visit(node)
    return program


def reads(program: ast.AST) -> Counter[str]:
    """The names that are read, each with its number of times."""
    names = (node for node in ast.walk(program) if isinstance(node, ast.Name))
    return Counter(node.id for node in names if isinstance(node.ctx, ast.Load))


class Idle(ast.NodeTransformer):
    """Removes statements without an effect; used: the names that are read."""

    def __init__(self, used: set[str]):
        self.used = used
        self.removed = False

    def remove(self) -> None:
        """Remove the visited statement."""
        self.removed = True

    def visit_FunctionDef(self, node: ast.FunctionDef):
        """A function that is used stays."""
        return self.generic_visit(node) if node.name in self.used else self.remove()

    def visit_ClassDef(self, node: ast.ClassDef):
        """Methods stay: they are not called by a plain name."""
        self.used |= {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
        return self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign):
        """An assignment stays if one of its targets is read, or is no plain name."""
        targets = [part for target in node.targets for part in getattr(target, "elts", [target])]
        idle = all(isinstance(target, ast.Name) and target.id not in self.used for target in targets)
        return self.remove() if idle else node

    def visit_If(self, node: ast.If):
        """Of `if` with a constant, the branch that runs stays."""
        self.generic_visit(node)
        if isinstance(node.test, ast.Constant):
            return (node.body if node.test.value else node.orelse) or self.remove()
        return node

    def visit_Expr(self, node: ast.Expr):
        """Docstrings and prints go."""
        called = node.value.func if isinstance(node.value, ast.Call) else None
        printed = isinstance(called, ast.Name) and called.id == "print"
        return self.remove() if printed or isinstance(node.value, ast.Constant) else node

    def visit_Assert(self, node: ast.Assert):
        """Asserts go."""
        return self.remove()


class Inlined(ast.NodeTransformer):
    """Replaces names that a definition assigns once and reads once by their values."""

    def __init__(self, definition: ast.AST):
        nodes = list(ast.walk(definition))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        read = Counter(node.id for node in names if isinstance(node.ctx, ast.Load))
        stored = Counter(node.id for node in names if not isinstance(node.ctx, ast.Load))
        self.values = {}
        for node in nodes:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if stored[name] == read[name] == 1:
                    self.values[name] = value
        self.once = set(self.values)

    def visit_Assign(self, node: ast.Assign):
        """The assignment of a name that is replaced goes."""
        target = node.targets[0]
        replaced = len(node.targets) == 1 and isinstance(target, ast.Name) and target.id in self.once
        return None if replaced else self.generic_visit(node)

    def visit_Name(self, node: ast.Name):
        """A name that is read once becomes its value; `pop`, because values may name each other."""
        value = self.values.pop(node.id, None) if isinstance(node.ctx, ast.Load) else None
        return self.visit(value) if value else node
