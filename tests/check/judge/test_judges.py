"""Judges meet answers that nobody expects: each is judged wrong in a sentence, none breaks the judge."""

import pytest
import torch

from labsupport.check.ask.client import answer_here
from labsupport.check.ask.wire import Opaque
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.judging import judge
from labsupport.check.judge.kit.verdict import WIDTH, Ending
from tests.sample import few

STRANGE = {
    "none": None,
    "opaque": Opaque("module.Everything"),
    "int": 3,
    "float": 0.5,
    "nan": float("nan"),
    "negative": -1.0,
    "text": "all parts pass",
    "empty list": [],
    "pair": (torch.zeros(2), 3),
    "pair of nothing": (None, None),
    "dict": {},
    "dict of text": {"model.layers.0.self_attn.q_proj": "keep"},
    "scalar tensor": torch.tensor(1.0),
    "bool scalar": torch.tensor(True),
    "empty tensor": torch.zeros(0),
    "vector": torch.ones(7),
    "nan matrix": torch.full((3, 4), float("nan")),
    "int matrix": torch.ones(3, 4, dtype=torch.int64),
    "bool matrix": torch.ones(3, 4, dtype=torch.bool),
    "half matrix": torch.ones(2, 3).half(),
    "many axes": torch.ones(1, 2, 3, 4),
    "sparse matrix": torch.ones(3, 4).to_sparse(),
}


pytestmark = pytest.mark.usefixtures("tiny_course")


def test_a_draw_that_cannot_suit():
    """A condition that nothing meets is an error, never a check without an end."""
    with pytest.raises(RuntimeError, match="10,000 draws"):
        draw.until(lambda: 0, bool)


@pytest.mark.parametrize("seed", range(5))
def test_a_layer_that_fits(seed):
    """Whoever makes the weights of the layers whose MACs are counted, fills no memory."""
    for case in EXERCISES["linear_macs"].cases(seed):
        rows, columns, tokens = case.inputs.values()
        assert 4 * rows * columns <= 48e6
        assert case.title.startswith("more") == (rows * columns * tokens > 2**53)


@pytest.mark.lengthy
@pytest.mark.parametrize("kind", few(STRANGE, of=[*list(STRANGE)[::8], "sparse matrix"]))
@pytest.mark.parametrize("name", EXERCISES)
def test_strange_answers(name, kind):
    """Whatever a function returns, its student gets a sentence that fits the screen and no points."""
    exercise = EXERCISES[name]
    verdict = judge(
        exercise,
        exercise.cases(0),
        lambda case: answer_here(name, lambda *_arguments: STRANGE[kind], case.inputs),
    )
    assert verdict.status != Ending.RIGHT
    assert verdict.share == 0
    assert "FAILED" in verdict.message()
    assert all(len(line) <= WIDTH for line in verdict.message().splitlines())


@pytest.mark.lengthy
@pytest.mark.parametrize("error", [ValueError, TypeError, SystemExit, RecursionError, NotImplementedError])
@pytest.mark.parametrize("name", EXERCISES)
def test_errors(name, error):
    """A function that always raises earns nothing, whatever it raises; sys.exit() ends no grading."""

    def raises(*_arguments):
        raise error("on purpose")

    exercise = EXERCISES[name]
    verdict = judge(exercise, exercise.cases(0), lambda case: answer_here(name, raises, case.inputs))
    assert verdict.status == ("unwritten" if error is NotImplementedError else "wrong")
    assert verdict.share == 0
