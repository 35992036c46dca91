"""Given implementations by lab, and placeholders for those that are withheld.

FROM in each file of labsupport/given is the first lab that is given the file. While a lab is graded, files
that implement its own exercises are withheld too.
"""

import ast
from pathlib import Path

import labsupport
from labsupport.check.judge import EXERCISES

FOLDER = Path(labsupport.__file__).parent / "given"
STANDS_IN = '"""Not here."""\n\nfrom labsupport.errors import LabError\n\nraise LabError("{}")\n'


def withheld(lab: int, grading: bool) -> dict[str, str]:
    """Placeholders for the files of given/ that lab `lab` is not given, by file name.

    grading: whether the lab's own exercises are withheld too, as in its sandbox.
    """
    found = {}
    for path in sorted(FOLDER.glob("[a-z]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name, first = f"labsupport.given.{path.stem}", given_from(tree, path)
        asked = [each for each in _functions(tree) if each in EXERCISES and EXERCISES.lab(each) == lab]
        if lab < first:
            found[path.name] = STANDS_IN.format(f"{name} is given from lab {first:02d} on.")
        elif grading and asked:
            found[path.name] = STANDS_IN.format(f"{name} is not here: {asked[0]} is an exercise of this lab.")
    return found


def given_from(tree: ast.Module, path: Path) -> int:
    """The number of the first lab that is given a file. Raises ValueError for a file without FROM."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FROM":
            return ast.literal_eval(node.value)
    raise ValueError(f"{path} does not say in FROM from which lab on it is given")


def _functions(tree: ast.Module) -> list[str]:
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
