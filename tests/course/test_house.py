"""The rooms of the house: what may import what. An arrow back is a hole in the border, or a knot."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.author.given import FOLDER, constant
from grader.course import ROOT
from labsupport.check.judge import EXERCISES

STAGES = ("author", "intake", "sandbox", "grade", "results")  # of the grader, each before the next
JUDGES = ROOT / "labsupport" / "check" / "judge"


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in files("labsupport") + files("grader")}


def imports(path: Path, top: bool = False) -> Iterator[str]:
    """The modules of this project that a file imports; top: only those imported together with the file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if full in MODULES or node.module in MODULES:
                    yield full if full in MODULES else node.module


def arrows(folder: str, *targets: str) -> list[str]:
    """What in a folder imports something from the targets."""
    return [
        f"{path.relative_to(ROOT)} -> {module}"
        for path in files(folder)
        for module in imports(path)
        if any(module == target or module.startswith(f"{target}.") for target in targets)
    ]


def test_students_import_nothing_that_grades():
    assert arrows("labsupport", "grader") == []


def test_what_enters_the_sandbox_knows_no_judge():
    """One import would fail there, in the middle of a student's notebook."""
    assert arrows("labsupport/check/ask", "labsupport.check.judge") == []
    assert arrows("labsupport/given", "labsupport.check") == []
    assert arrows("labsupport/fetch", "labsupport.check", "labsupport.given") == []


def test_the_stages_of_the_grader_go_one_way():
    for place, stage in enumerate(STAGES):
        later = [f"grader.{other}" for other in STAGES[place + 1 :]]
        above = ("demo", "watch", "forget", "archive", "unarchive", "__main__")
        assert arrows(f"grader/{stage}", *later, *(f"grader.{name}" for name in above)) == []


def test_no_circles():
    """No file needs, to be imported, a file that needs it."""
    needs = {name: {m for m in imports(path, top=True) if m != name} for name, path in MODULES.items()}
    while needs:
        free = [name for name, others in needs.items() if not others & needs.keys()]
        assert free, f"in a circle: {sorted(needs)}"
        for name in free:
            del needs[name]


@pytest.mark.parametrize("name", EXERCISES)
def test_an_exercise_is_one_file(name):
    """Its judge has its name, uses no other lab, and only what its own lab is given."""
    path, lab = MODULES[f"labsupport.check.judge.lab{EXERCISES.lab(name):02d}.{name}"], EXERCISES.lab(name)
    assert EXERCISES[name].name == name
    assert EXERCISES[name].number.startswith(f"{lab}.")
    assert (ROOT / "tests" / "wrong_answers" / f"{name}.py").is_file()
    seen, ahead = set(), [module_of(path)]
    while ahead:
        if (module := ahead.pop()) not in seen:
            seen.add(module)
            ahead += imports(MODULES[module])
    for module in seen:
        assert not module.startswith("labsupport.check.judge.lab") or module == module_of(path)
        if module.startswith("labsupport.given."):
            first = constant(ast.parse(MODULES[module].read_text()), MODULES[module], "FROM")
            assert first <= lab, f"{name} needs {module}, which is given from lab {first} on"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_what_is_given_says_which_exercises_it_answers(path):
    """A function named like an exercise is one of its answers, and every answer is an exercise."""
    tree = ast.parse(path.read_text())
    answers = set(constant(tree, path, "ANSWERS"))
    assert answers <= EXERCISES.keys()
    assert {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    } & EXERCISES.keys() <= answers


def test_no_file_of_judges_is_long():
    long = {path.name: count for path in files("labsupport/check/judge")
            if (count := len(path.read_text().splitlines())) > 200}  # fmt: skip
    assert long == {}


def test_no_other_file_bears_the_name_of_an_exercise():
    """In a sandbox a student who looks for the file of an exercise finds none, whatever it would hold."""
    rooms = (ROOT / "labsupport" / "check", ROOT / "labsupport" / "given")
    others = [path for path in files("labsupport") if not any(path.is_relative_to(room) for room in rooms)]
    assert not {path.stem for path in others} & set(EXERCISES)
