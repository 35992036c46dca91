"""Given implementations by lab, and placeholders for those that are withheld.

FROM in each file of labsupport/given is the first lab that is given the file. ANSWERS names the exercises
that the file implements, under whatever name and signature: while their lab is graded, it is withheld too.
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
        name, first = f"labsupport.given.{path.stem}", constant(tree, path, "FROM")
        asked = [each for each in constant(tree, path, "ANSWERS") if EXERCISES.lab(each) == lab]
        if lab < first:
            found[path.name] = STANDS_IN.format(f"{name} is given from lab {first:02d} on.")
        elif grading and asked:
            found[path.name] = STANDS_IN.format(f"{name} is not here: {asked[0]} is an exercise of this lab.")
    return found


def constant(tree: ast.Module, path: Path, name: str):
    """FROM or ANSWERS of a file. Raises ValueError for a file without it."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise ValueError(f"{path} does not say {name}: see labsupport/given/__init__.py")
