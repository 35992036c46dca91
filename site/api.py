"""Pages on labsupport from its docstrings: what the labs import, what is given, and the rest."""

import ast
import pkgutil
from types import ModuleType

import labsupport
from grader import course
from labsupport import given


def pages() -> dict[str, str]:
    """The pages in Markdown by name."""
    every, givens = modules(labsupport), modules(given)
    imported = [name for name in every if name in in_labs()]
    others = [name for name in every if name not in imported and not name.endswith("__main__")]
    return {
        "labs": page("What the labs import", imported, "labsupport"),
        "given": page("What later labs are given", givens, "labsupport.given"),
        "rest": page("The rest of labsupport", others),
    }


def modules(package: ModuleType) -> list[str]:
    """The full names of the modules of a package, without those of its packages."""
    found = pkgutil.iter_modules(package.__path__)
    return [f"{package.__name__}.{module.name}" for module in found if not module.ispkg]


def in_labs() -> set[str]:
    """The modules that some lab imports."""
    trees = [ast.parse(course.source(lab).read_text(encoding="utf-8")) for lab in course.labs()]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {f"{node.module}.{alias.name}" for node in nodes for alias in node.names} | {
        node.module or "" for node in nodes
    }


def page(title: str, names: list[str], package: str = "") -> str:
    """A page; the docstring of the package stands above its modules."""
    blocks = [f"# {title}", *([_rst(package)] if package else [])]
    for name in names:
        blocks += [f"## {name.removeprefix('labsupport.')}", _rst(name)]
    return "\n\n".join(blocks) + "\n"


def _rst(module: str) -> str:
    return f"```{{eval-rst}}\n.. automodule:: {module}\n```"
