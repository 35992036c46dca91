"""Every judge with the course model on a card: right answers pass, wrong ones are named as on the CPU."""

import inspect
import warnings

import pytest

from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.verdict import Ending
from tests.check.judge.test_answers import answers, verdict
from tests.gpu.conftest import REAL

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.lengthy,
    pytest.mark.thorough,
    pytest.mark.usefixtures("tiny_course", "card"),
]
BANK = [param.values for param in answers()]
ON_A_MODEL = ("perplexity", "prune_magnitude", "input_norms", "prune_wanda", "prune_blocks",
              "continuation_logprob", "smallest_file")  # fmt: skip
LENGTHY = ("recover", "distill", "input_norms", "prune_blocks", "perplexity")  # a second for each answer
FEW = 2  # answers of each kind on the stand-in: their cases on the CPU are those of other tests


def bank(exercise: str, right: bool) -> list:
    """All right answers to an exercise, or all wrong ones."""
    return [each for name, which, each in BANK if name == exercise and which.startswith("right_") == right]


def of(exercise: str, right: bool) -> list:
    """The right answers to an exercise, or the wrong ones: all of them on a real card."""
    found = bank(exercise, right)
    return found if REAL else found[: FEW - (exercise in LENGTHY)]


def told(exercise: str, function):
    """The verdict on one answer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return verdict(EXERCISES[exercise], function, 0)


def test_whose_cases_are_on_the_card():
    """Those with the course model; cases of all other exercises are on the CPU, as in the tests of judges."""
    cases = {name: [case.inputs for case in exercise.cases(0)] for name, exercise in EXERCISES.items()}
    on_card = {name for name, each in cases.items() if any("course" in str(inputs) for inputs in each)}
    assert on_card == set(ON_A_MODEL)


@pytest.mark.parametrize("exercise", EXERCISES)
def test_right_answers(exercise):
    """However it is written, on a laptop or on a GPU."""
    for function in bank(exercise, right=True) if exercise in ON_A_MODEL else of(exercise, right=True):
        found = told(exercise, function)
        assert found.status == Ending.RIGHT, (function.__name__, found.message())


@pytest.mark.skipif(not REAL, reason="the stand-in has the CPU's numbers")
@pytest.mark.parametrize("exercise", EXERCISES)
def test_as_on_the_cpu(exercise, monkeypatch):
    """Each verdict is the CPU's: status and points."""
    for function in (*of(exercise, right=True), *of(exercise, right=False)):
        monkeypatch.setenv("PRUNING_LABS_DEVICE", "cuda")
        there = told(exercise, function)
        monkeypatch.setenv("PRUNING_LABS_DEVICE", "cpu")
        here = told(exercise, function)
        assert (there.status, there.share) == (here.status, here.share), function.__name__


@pytest.mark.parametrize("exercise", EXERCISES if REAL else ON_A_MODEL)
def test_wrong_answers(exercise):
    """No mistake is missed, and none is called one of devices."""
    for function in bank(exercise, right=False):
        found = told(exercise, function)
        message = " ".join(found.message().split())
        assert found.status != Ending.RIGHT, function.__name__
        assert inspect.getdoc(function) in message, (function.__name__, message)
