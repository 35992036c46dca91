"""An exception of a student's function: told once, with its line and the name that was meant."""

import pytest

from labsupport import check, linears, selection
from labsupport.check.ask.client import answer_here
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.judging import judge
from labsupport.check.judge.kit.verdict import CheckFailed
from tests.wrong_answers import hessian
from tests.wrong_answers.magnitude_mask import by_row


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
    typo: "NameError: name 'magnitud' is not defined (did you mean magnitude?), in line 16:",
    attribute: "no attribute 'absolut' (did you mean absolute?), in line 20: return",
    inside_the_course: "in line 25: return weight.abs() > selection.kth_smallest(weight.abs().flatten(), k)",
    unhelpful: 'AttributeError: something, in line 29: raise AttributeError("something")',
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


@pytest.mark.parametrize("name", ["magnitude_mask", "row_mask", "wanda_score", "sum_of_squares"])
def test_a_missing_return_is_told_once(name):
    """Each case fails for the same reason, under a title of its own."""
    exercise = EXERCISES[name]
    verdict = judge(exercise, exercise.cases(0), lambda case: answer_here(name, lambda *_: None, case.inputs))
    message = " ".join(verdict.message().split())
    assert message.count("is a return missing?") == 1 and "more parts, for the same reason" in message


def test_no_later_error_stands_above_a_missing_return():
    """Where k is 0 this one raises, and a headline on that would hide what is wrong everywhere."""

    def magnitude_mask(weight, sparsity):
        selection.kth_smallest(weight.abs().flatten(), round(sparsity * weight.numel()))

    exercise = EXERCISES["magnitude_mask"]
    ask = exercise.cases(0)
    verdict = judge(exercise, ask, lambda case: answer_here("magnitude_mask", magnitude_mask, case.inputs))
    assert not verdict.cause and "is a return missing?" in verdict.message()


def test_two_reasons_are_told_both():
    """Ranked by rows, one matrix loses 3 of its weights and another one 14: neither stands for the other."""
    exercise = EXERCISES["magnitude_mask"]
    cases = exercise.cases(0)
    verdict = judge(exercise, cases, lambda case: answer_here(exercise.name, by_row, case.inputs))
    message = " ".join(verdict.message().split())
    assert "yours drops 3 " in message and "yours drops 14 " in message


def by_mask(weight, sparsity):
    mask = weight.abs() > sparsity
    if mask:
        return mask
    return ~mask


def from_the_middle(model, sparsity):
    return {name: magnitude_mask(weight, sparsity) for name, weight in linears.weights(model).items()}  # noqa: F821


CAUSES = {
    by_mask: ("magnitude_mask", "a whole tensor was asked for true or false, as in `if mask:`"),
    from_the_middle: ("prune_magnitude", "the cell of magnitude_mask has not run"),
}


@pytest.mark.parametrize("function", CAUSES)
def test_what_any_function_may_raise_has_its_cause(function):
    """A mask asked for true or false; a function of the lab that has not run since the kernel started."""
    name, words = CAUSES[function]
    exercise = EXERCISES[name]
    cases = [case for case in exercise.cases(0) if not case.costly]
    message = judge(exercise, cases, lambda case: answer_here(name, function, case.inputs)).message()
    assert words in " ".join(message.split("FAILED")[0].split())
    assert len(message.splitlines()) <= 20


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
