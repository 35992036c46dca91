"""Who takes the course's own function: read from the notebook, and told at home and in the grade."""

import sys
import zipfile
from io import BytesIO

import nbformat
import pytest
from nbformat import v4

from grader import course
from grader.author import answers, notebooks, reference
from grader.author.release import students_zip
from grader.grade.submission import Submission, Task, grade
from grader.grade.taken import taken
from grader.sandbox.run import Limits
from labsupport import check, given
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.taken import is_taken
from labsupport.errors import LabError

LAB = ["magnitude_mask", "prune_magnitude", "global_magnitude_masks"]
IMPORT = "from labsupport import check, given"
OWN = "def magnitude_mask(weight, sparsity):\n    return weight.abs() > sparsity"
PRUNE = "prune_magnitude = given.prune_magnitude"
WRAPPER = "def prune_magnitude(model, sparsity):\n    return given.prune_magnitude(model, sparsity)"
BY_IMPORT = "from labsupport.given import prune_magnitude"
HELPED = "def prune_magnitude(m, s):\n    return {}(m, s)"
ONLY = {"prune_magnitude": {"prune_magnitude"}}
NOTEBOOKS = {
    "openly": ([OWN, PRUNE], ONLY),
    "by import": ([OWN, BY_IMPORT], ONLY),
    "by import under another name": ([BY_IMPORT + " as other", "prune_magnitude = other"], ONLY),
    "the package's other name": (
        ["import labsupport.given as g", "prune_magnitude = g.prune_magnitude"],
        ONLY,
    ),
    "by its full name": (["import labsupport", "prune_magnitude = labsupport.given.prune_magnitude"], ONLY),
    "a wrapper": ([OWN, WRAPPER], ONLY),
    "a helper of another cell": (["helper = given.prune_magnitude", HELPED.format("helper")], ONLY),
    "in an object": (
        ["class Box: pass", "Box.f = given.prune_magnitude", HELPED.format("Box.f")],
        ONLY,
    ),
    "after a magic": (["%matplotlib inline\n" + PRUNE], ONLY),
    "an earlier exercise by a later one": (
        [PRUNE, "def magnitude_mask(w, s):\n    return prune_magnitude(w, s)['w']"],
        {"magnitude_mask": {"prune_magnitude"}, **ONLY},
    ),
    "a later exercise calls an earlier one": (
        ["magnitude_mask = given.magnitude_mask", HELPED.format("magnitude_mask")],
        {"magnitude_mask": {"magnitude_mask"}},
    ),
    "a comparison elsewhere": ([OWN, "print(given.magnitude_mask(w, 0.5) == magnitude_mask(w, 0.5))"], {}),
    "a local name": (
        ["def magnitude_mask(w, s):\n    mask = w > s\n    return mask", "mask = given.magnitude_mask(w, 1)"],
        {},
    ),
    "in a comment": ([OWN + "  # given.magnitude_mask", "# prune_magnitude = given.prune_magnitude"], {}),
    "what the lab is given": (["from labsupport.given.perplexity import perplexity", OWN], {}),
    "no Python": (["prune_magnitude = given.prune_magnitude ((("], {}),
}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_who_takes_what(name):
    sources, expected = NOTEBOOKS[name]
    cells = [v4.new_code_cell(source) for source in (IMPORT, *sources)]
    assert taken(v4.new_notebook(cells=cells), LAB) == expected


@pytest.mark.parametrize("lab", course.labs())
def test_every_exercise_is_given(lab):
    """By its name, in a file that is up to date and implements no other exercise."""
    for name in reference.functions(lab):
        place = f"labsupport.given.exercises.{name}"
        function = getattr(__import__(place, fromlist=[name]), name)
        assert function.__name__ == name
    for path, data in answers.files([lab]).items():
        assert path.read_bytes() == data, "run `python -m grader build`"
        defined = {line.split("(")[0] for line in data.decode().splitlines() if line.startswith("def ")}
        assert {name.removeprefix("def ") for name in defined} & EXERCISES.keys() == {path.stem}


@pytest.mark.parametrize("deep", ["+ 1" * 1500, "[0]" * 1500, ".a" * 1500, "+ 0x" + "f" * 9000])
def test_code_that_cannot_be_written_down(deep):
    """Nested too deeply, or a number too long: no fault of the grader, and it hides no other statement."""
    cells = [v4.new_code_cell(f"x = given.magnitude_mask{deep}"), v4.new_code_cell(PRUNE)]
    found = taken(v4.new_notebook(cells=cells), LAB)
    assert found["prune_magnitude"] == {"prune_magnitude"}


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("code", "magics"), [("", 501), ("x = 1\n" * 16_000, 499)])
def test_magics_without_end(code, magics):
    """IPython reads a cell again for each of its magics, minutes long, and gives up after 500."""
    cells = [v4.new_code_cell(f"{PRUNE}\n{code}" + "!true\n" * magics)]
    assert taken(v4.new_notebook(cells=cells), LAB) == {}


def test_a_given_function_calls_the_notebooks_own(monkeypatch, tiny_model):
    """It works with the student's earlier functions, and says which one is missing."""
    monkeypatch.delattr(sys.modules["__main__"], "magnitude_mask", raising=False)
    with pytest.raises(LabError, match="calls your magnitude_mask: run the cell"):
        given.prune_magnitude(tiny_model, 0.5)


def test_what_a_check_says_at_home(capsys):
    """No error, so that the notebook goes on; a wrapper is no way around it."""

    def prune_magnitude(model, sparsity):
        return given.prune_magnitude(model, sparsity)

    assert given.prune_magnitude.given == "prune_magnitude"
    assert not is_taken("magnitude_mask", lambda weight, sparsity: weight.abs() > sparsity)
    for function in (given.prune_magnitude, prune_magnitude):
        check.prune_magnitude(function)
        assert capsys.readouterr().out.startswith("Check 2.2  prune_magnitude: given: 0 points\n")


def test_a_zip_holds_the_answers_of_its_labs():
    names = zipfile.ZipFile(BytesIO(students_zip(["02_magnitude_pruning"]))).namelist()
    held = {name.rpartition("/")[2].removesuffix(".py") for name in names if "/given/exercises/" in name}
    assert held == {"__init__", *(name for name in EXERCISES if EXERCISES.lab(name) <= 2)}


LOOK = """
import gc, os
from labsupport import given
print(sorted(os.listdir(os.path.dirname(given.__file__) + "/exercises")))
print(sorted({f.__name__ for f in gc.get_objects() if type(f) is type(os.walk)
              and str(f.__module__).startswith("labsupport.given.exercises.")}))
given.magnitude_mask
"""


@pytest.mark.sandbox
def test_in_the_sandbox(empty_course):
    """The exercise earns 0 points, the others theirs; the sandbox holds that one function."""
    lab = "02_magnitude_pruning"
    notebook = notebooks.solved_notebook(lab)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "prune_magnitude":
            cell.source = PRUNE
    notebook.cells.append(v4.new_code_cell(LOOK))
    released = (course.folder() / "release" / lab / f"{lab}.ipynb").read_text()
    raw = nbformat.writes(notebook).encode()
    record = grade(Task(Submission("ada", lab, "d", raw), released, 5, "v", Limits(), cold=True))
    found = {name: (each.status, each.share) for name, each in record.verdicts.items() if each.points}
    assert found == dict.fromkeys(LAB, ("right", 1)) | {"prune_magnitude": ("given", 0)}
    assert record.score() == 6
    assert "Check 2.2  prune_magnitude: given: 0 points" in record.notebook
    looked, error = nbformat.reads(record.notebook, as_version=4).cells[-1].outputs
    assert looked.text.splitlines() == ["['__init__.py', 'prune_magnitude.py']", "['prune_magnitude']"]
    assert "given.magnitude_mask is not here" in str(error)


@pytest.mark.sandbox
def test_an_exercise_that_was_dropped_still_serves_the_others(empty_course):
    """An instructor gives 2.1 no points; who has taken it openly keeps those of what calls it."""
    lab = "02_magnitude_pruning"
    notebook, released = notebooks.solved_notebook(lab), nbformat.read(course.notebook(lab), as_version=4)
    for each in (notebook, released):
        (check_cell,) = (
            c for c in each.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "check_magnitude_mask"
        )
        check_cell.metadata.nbgrader.points = 0
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells}
    cells["magnitude_mask"].source = "magnitude_mask = given.magnitude_mask"
    raw = nbformat.writes(notebook).encode()
    task = Task(Submission("ada", lab, "d", raw), nbformat.writes(released), 5, "v", Limits(), cold=True)
    found = {name: each.status for name, each in grade(task).verdicts.items()}
    assert found["magnitude_mask"] == "given"
    assert found["prune_magnitude"] == found["global_magnitude_masks"] == "right"


THROUGH = """
import importlib
power = getattr(importlib.import_module("labsupport.given.exer" + "cises.score_alpha"), "score_alpha")
def wanda_score(weight, input_norm):
    return power(weight, input_norm, 1.0)
"""


@pytest.mark.sandbox
def test_a_starred_one_answers_for_no_other(empty_course):
    """Wanda's score is its case of the power 1. Under grading it says that it is not there, when called."""
    lab = "04_wanda_pruning"
    notebook = notebooks.solved_notebook(lab)
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells}
    cells["score_alpha"].source = "score_alpha = given.score_alpha"
    cells["wanda_score"].source = THROUGH
    released = course.notebook(lab).read_text()
    raw = nbformat.writes(notebook).encode()
    record = grade(Task(Submission("ada", lab, "d", raw), released, 5, "v", Limits(), cold=True))
    found = {name: each.status for name, each in record.verdicts.items()}
    assert found["score_alpha"] == "given" and found["wanda_score"] == "wrong"
    assert found["row_mask"] == found["n_of_m_mask"] == "right"
    assert "given.score_alpha has no points: it works at home, and is not here" in record.notebook
