"""The reference solutions are right, and what students get in their place is nothing."""

import warnings

import nbformat
import pytest

from grader import course
from grader.author import notebooks, reference
from labsupport.check.ask.client import answer_here
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.judging import judge
from labsupport.check.judge.kit.verdict import Ending
from tests.sample import few

SEEDS = (0, 20_261_121)  # the public cases and one course's hidden ones

SAMPLE = """\
# %%
import math

raise SystemExit

# %%
# %time 1
import nothing

# %% exercise="magnitude_mask"
def magnitude_mask(weight, sparsity):
    ### BEGIN SOLUTION
    return math.pi
    ### END SOLUTION

# %% check="magnitude_mask" points=1
check.magnitude_mask(magnitude_mask)

# %% exercise="prune_magnitude"
def prune_magnitude(model, sparsity):
    ### BEGIN SOLUTION
    return magnitude_mask(0, 0) + 1
    ### END SOLUTION

# %% check="prune_magnitude" points=1
check.prune_magnitude(prune_magnitude)
"""


@pytest.fixture(autouse=True)
def tiny_course(monkeypatch):
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")


def verdict(name, function, seed):
    exercise = EXERCISES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return judge(
            exercise, exercise.cases(seed), lambda case: answer_here(exercise.name, function, case.inputs)
        )


def stubs(lab) -> dict:
    """The functions of an untouched student notebook."""
    namespace: dict = {}
    written = notebooks.student_notebooks([lab])[course.notebook(lab)].decode()
    for cell in nbformat.reads(written, 4).cells:
        graded = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and graded.get("solution"):
            exec(cell.source, namespace)
        elif cell.cell_type == "code" and not graded:
            exec(compile(reference.imports(cell.source), lab, "exec"), namespace)
    return {name: namespace[name] for name in reference.functions(lab)}


@pytest.mark.lengthy
@pytest.mark.parametrize("lab", few(course.labs(), of=course.labs()[:3]))
def test_a_solution_passes_all_its_checks(lab):
    functions = reference.functions(lab)
    assert functions
    for name, function in functions.items():
        for seed in SEEDS:
            found = verdict(name, function, seed)
            assert (found.status, found.share) == (Ending.RIGHT, 1.0), found.message()


@pytest.mark.lengthy
@pytest.mark.parametrize("lab", course.labs())
def test_a_stub_fails_all_of_them(lab):
    """Who has written nothing reads just that, and earns nothing."""
    functions = stubs(lab)
    assert functions.keys() == reference.functions(lab).keys()
    for name, function in functions.items():
        for seed in SEEDS:
            found = verdict(name, function, seed)
            assert (found.status, found.share) == (Ending.UNWRITTEN, 0.0), found.message()
            assert "not written yet" in found.message()


def test_the_reference_is_the_source(tmp_path, monkeypatch):
    """Exercise cells and imports run; nothing else of a lab does, and exercises may call earlier ones."""
    monkeypatch.setattr(course, "SOLUTIONS", tmp_path)
    (tmp_path / "02_sample.py").write_text(SAMPLE)
    functions = reference.functions("02_sample")
    assert list(functions) == ["magnitude_mask", "prune_magnitude"]
    assert functions["prune_magnitude"](None, 0) == pytest.approx(4.14159, abs=1e-5)
