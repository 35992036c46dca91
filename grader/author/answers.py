"""Builds labsupport/given/exercises/ from solutions/*.py: the course's own answer to every exercise."""

import ast
from pathlib import Path

import labsupport
from grader.author import source
from grader.author.reference import imports
from labsupport.check.judge import EXERCISES

FOLDER = Path(labsupport.__file__).parent / "given" / "exercises"
YOURS = "from labsupport.given.exercises import yours"


def files(labs: list[str]) -> dict[Path, bytes]:
    """The expected contents of exercises/ for these labs, by path."""
    return {FOLDER / f"{name}.py": text.encode() for lab in labs for name, text in texts(lab).items()}


def up_to(number: int) -> set[str]:
    """The names of the exercises of all labs up to this number."""
    return {name for name in EXERCISES if EXERCISES.lab(name) <= number}


def texts(lab: str) -> dict[str, str]:
    """The text of the file of every exercise of a lab, by name.

    It holds the exercise's cell, and of the lab's imports and of the other cells' helper functions those
    that it uses. Other exercises are the notebook's own.
    """
    brought: list[ast.stmt] = []
    helpers: dict[str, str] = {}
    before: list[str] = []
    found = {}
    for cell in source.read(lab):
        if cell.kind in ("code", "experiment"):
            brought += imports(cell.text).body
        elif cell.kind == "exercise":
            found[cell.name] = _text(lab, cell, brought, helpers, before)
            functions = [node for node in ast.parse(cell.text).body if isinstance(node, ast.FunctionDef)]
            helpers |= {each.name: ast.unparse(each) for each in functions if each.name not in EXERCISES}
            before.append(cell.name)
    return found


def _text(lab: str, cell: source.Cell, brought: list, helpers: dict[str, str], before: list[str]) -> str:
    lines = [
        line
        for line in cell.text.splitlines()
        if line.strip() not in (f"### {source.BEGIN}", f"### {source.END}")
    ]
    body = "\n".join(lines).strip()
    used = _names(body)
    shared = [text for name, text in helpers.items() if name in used]
    used |= {name for text in shared for name in _names(text)}
    head = [line for line in (_import(node, used) for node in brought) if line]
    own = [name for name in before if name in used]
    blocks = [
        f'"""{EXERCISES[cell.name].number} {cell.name}, made from solutions/{lab}.py."""',
        "\n".join(dict.fromkeys(head + [YOURS] * bool(own))),
        "\n".join(f'{name} = yours("{name}")' for name in own),
        *shared,
        body,
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _names(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def _import(node, used: set[str]) -> str:
    """The import statement with only the names that are used; empty without any."""
    names = [each for each in node.names if (each.asname or each.name.partition(".")[0]) in used]
    return ast.unparse(type(node)(**{**vars(node), "names": names})) if names else ""
