"""A judge is tested by answers: every right one must pass, every wrong one fail by name."""

import importlib.util
import inspect
import warnings
from functools import cache
from pathlib import Path

import pytest

from labsupport.check.ask.client import answer_here
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.judging import judge
from labsupport.check.judge.kit.lines import LONGEST
from labsupport.check.judge.kit.verdict import WIDTH, Ending, Mark

FOLDER = Path(__file__).parents[2] / "wrong_answers"
PUBLIC, *HIDDEN = (0, 1, 20_261_121)  # the public cases and two courses' hidden ones
AT_ONCE = 2  # answers to each exercise that `make quick` asks for
LENGTHY = (  # a second for each answer
    "distill", "drop_blocks", "input_norms", "prune_blocks", "prune_sparsegpt", "recover", "smallest_file"
)  # fmt: skip
SEEDS = (
    PUBLIC,
    pytest.param(HIDDEN[0], marks=pytest.mark.thorough),
    pytest.param(HIDDEN[1], marks=pytest.mark.rare),
)


@cache
def answers() -> list:
    found = []
    for path in sorted(FOLDER.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"answers_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        own = [
            (name, function)
            for name, function in inspect.getmembers(module, inspect.isfunction)
            if not name.startswith("_") and function.__module__ == module.__name__
        ]
        for number, (name, function) in enumerate(own):
            long, more = path.stem in LENGTHY, number >= AT_ONCE
            marks = [pytest.mark.lengthy] * (long or more) + [pytest.mark.thorough] * (long and more)
            found.append(pytest.param(path.stem, name, function, marks=marks, id=f"{path.stem}-{name}"))
    return found


def verdict(exercise, function, seed):
    cases = exercise.cases(seed)
    return judge(exercise, cases, lambda case: answer_here(exercise.name, function, case.inputs))


pytestmark = pytest.mark.usefixtures("tiny_course")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("exercise", "name", "function"), answers())
def test_answer(exercise, name, function, seed):
    """Right answers pass however they are written; wrong ones fail with the phrase that names them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = verdict(EXERCISES[exercise], function, seed)
    message = found.message()
    if name.startswith("right_"):
        assert found.status == Ending.RIGHT, message
        assert found.share == 1
        return
    assert found.status != Ending.RIGHT, f"{name} was taken for right"
    failed = {line.status for line in found.lines}
    assert found.share < 1 or (Mark.NOTED in failed and Mark.FAILED not in failed)
    assert inspect.getdoc(function) in " ".join(message.split()), message
    assert all(len(line) <= WIDTH for line in message.splitlines()), message
    assert len(message.splitlines()) <= LONGEST, message


@pytest.mark.parametrize("exercise", EXERCISES)
def test_enough_answers(exercise):
    """Each exercise has four wrong answers at least, and a right one."""
    names = [param.values[1] for param in answers() if param.values[0] == exercise]
    assert any(name.startswith("right_") for name in names)
    assert sum(not name.startswith("right_") for name in names) >= 4


@pytest.mark.parametrize(
    ("exercise", "function", "name"),
    [
        ("attention_macs", lambda config, tokens: 1, "num_hidden_layers"),
        ("wanda_score", lambda weight, input_norm: weight.abs(), "input_norm"),
    ],
)
def test_a_name_of_the_lab_is_shown_as_it_is(exercise, function, name):
    """A student looks for it in the config or in the cell; "num hidden layers" is in neither."""
    show = verdict(EXERCISES[exercise], function, PUBLIC).show
    assert name in show and {"your answer", "your score"} & show.keys()
