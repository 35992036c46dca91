"""An exception of a student's function: told once, with its line and the name that was meant."""

import pytest

from labsupport import check, selection
from labsupport.check.ask.client import answer_here
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.judging import judge
from labsupport.check.judge.kit.verdict import CheckFailed
from tests.wrong_answers import hessian


def typo(weight, sparsity):
    magnitude = weight.abs()  # noqa: F841
    return magnitud > sparsity  # noqa: F821


def attribute(weight, sparsity):
    return weight.absolut() > sparsity


def inside_the_course(weight, sparsity):
    k = round(sparsity * weight.numel()) + 10**6
    return weight.abs() > selection.kth_smallest(weight.abs().flatten(), k)


def unhelpful(weight, sparsity):
    raise AttributeError("something")


WORDS = {
    typo: "NameError: name 'magnitud' is not defined (did you mean magnitude?), in line 15:",
    attribute: "no attribute 'absolut' (did you mean absolute?), in line 19: return",
    inside_the_course: "in line 24: return weight.abs() > selection.kth_smallest(weight.abs().flatten(), k)",
    unhelpful: 'AttributeError: something, in line 28: raise AttributeError("something")',
}


@pytest.mark.parametrize("function", WORDS)
def test_an_error_is_told_once(function):
    exercise = EXERCISES["magnitude_mask"]
    ask = exercise.cases(0)
    verdict = judge(exercise, ask, lambda case: answer_here("magnitude_mask", function, case.inputs))
    message = " ".join(verdict.message().split())
    assert WORDS[function] in message
    assert message.count("your function raised") == 1 and "more parts, for the same reason" in message
    assert "the mask is torch.bool" not in message
    assert len(verdict.message().splitlines()) <= 20


def test_a_warning_above_counts_as_well(monkeypatch):
    """Below a cell that did not run, the message is shorter by the lines that say so."""
    monkeypatch.setattr(
        check, "_warned", lambda _name: "Your cell did not run.\nThe one before was judged.\n\n"
    )
    with pytest.raises(CheckFailed) as caught:
        check.hessian(hessian.tokens_by_tokens)
    lines = str(caught.value).splitlines()
    assert lines[0] == "Your cell did not run." and len(lines) <= 20
    assert any("a number for each pair of" in line for line in lines)
