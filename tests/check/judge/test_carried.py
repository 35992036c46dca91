"""Errors carried forward: what follows from a student's own wrong earlier answers earns its points."""

import inspect
from functools import partial
from types import FunctionType

import pytest
import torch

from grader import course
from grader.author import reference
from labsupport import check
from labsupport.check.ask import client, wire
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.carried import DRAWS, judge_again
from labsupport.check.judge.kit.judging import judge
from labsupport.check.judge.kit.verdict import WIDTH, CheckFailed, Ending
from tests.check.judge.test_answers import answers
from tests.sample import few

pytestmark = [pytest.mark.lengthy, pytest.mark.usefixtures("tiny_course")]

SEED = 20_261_121
WRONG = {(p.values[0], p.values[1]): p.values[2] for p in answers()}
CARRIED = [  # the later exercise, the earlier one, and a wrong answer to that
    ("perplexity", "window_nll", "bits"),
    ("perplexity", "window_nll", "not_shifted"),
    ("perplexity", "window_nll", "counts_every_token"),
    ("perplexity", "window_nll", "mean"),
    ("prune_magnitude", "magnitude_mask", "stays_at_threshold"),
    ("prune_magnitude", "magnitude_mask", "inverted"),
    ("prune_magnitude", "magnitude_mask", "by_row"),
    ("prune_magnitude", "magnitude_mask", "fails_at_zero"),
    ("global_magnitude_masks", "magnitude_mask", "stays_at_threshold"),
    ("global_magnitude_masks", "magnitude_mask", "largest"),
    ("global_magnitude_masks", "magnitude_mask", "no_range_check"),
    ("input_norms", "sum_of_squares", "half_all_the_way"),
    ("input_norms", "sum_of_squares", "absolute"),
    ("input_norms", "sum_of_squares", "root"),
    ("prune_wanda", "row_mask", "stays_at_threshold"),
    ("prune_wanda", "row_mask", "whole_matrix"),
    ("prune_wanda", "wanda_score", "squared_norm"),
    ("prune_wanda", "wanda_score", "signed"),
    ("prune_blocks", "channel_importance", "down_forgotten"),
    ("prune_blocks", "channel_importance", "l1_for_all"),
    ("prune_blocks", "kv_group_importance", "published_order"),
    ("prune_blocks", "shrink_mlp", "the_first_ones"),
    ("prune_blocks", "shrink_mlp", "down_in_another_order"),
    ("prune_blocks", "shrink_attention", "published_order"),
    ("prune_then_quantise", "quantise", "cut_down"),
    ("prune_then_quantise", "quantise", "one_step_too_many"),
    ("prune_then_quantise", "dequantise", "no_zero"),
    ("prune_then_quantise", "dequantise", "tiled"),
    ("distill", "distill_loss", "changed_places"),
    ("distill", "distill_loss", "factor_forgotten"),
    ("prune_sparsegpt", "hessian", "covariance"),
    ("prune_sparsegpt", "sparsegpt_layer", "mask_alone"),
]
PAIRS_BY_NAME = {(later, earlier): wrong for later, earlier, wrong in CARRIED}
PAIRS = list(PAIRS_BY_NAME.items())
NAMED = list(PAIRS_BY_NAME)
LATER = sorted({later for later, _ in NAMED})
COSTLY = {"prune_blocks", "prune_sparsegpt", "prune_wanda", "distill", "perplexity"}  # seconds each
TRIVIAL = {  # of the right form, and the same whatever the input is
    "window_nll": lambda logits, token_ids: (torch.tensor(3.0), 2),
    "magnitude_mask": lambda weight, sparsity: torch.ones_like(weight, dtype=torch.bool),
    "sum_of_squares": lambda x: torch.ones(x.shape[-1]),
    "wanda_score": lambda weight, input_norm: torch.arange(weight.numel()).view(weight.shape) + 1.0,
    "row_mask": lambda score, sparsity: torch.arange(score.numel()).view(score.shape) % 2 == 0,
    "channel_importance": lambda gate, *_: torch.arange(len(gate)) + 1.0,
    "kv_group_importance": lambda q, k, v, o, head_dim, kv_heads, *_: torch.arange(kv_heads) + 1.0,
    "shrink_mlp": lambda gate, up, down, keep: (gate * 0, up * 0, down * 0),
    "shrink_attention": lambda q, k, v, o, *_: (q * 0, k * 0, v * 0, o * 0),
    "quantise": lambda weight, *_: ((weight * 0).byte(), weight[:, :1] * 0 + 1, weight[:, :1] * 0),
    "dequantise": lambda codes, *_: torch.arange(codes.numel()).view(codes.shape) + 1.0,
    "distill_loss": lambda student_logits, *_: 0 * student_logits.sum() + 1.0,
    "hessian": lambda x: torch.eye(x.shape[-1]),
    "sparsegpt_layer": lambda w, *_: (w * 0, torch.arange(w.numel()).view(w.shape) % 2 == 0),
}


def lab_of(name: str) -> dict:
    """The globals of a lab's right functions, as its notebook has them."""
    functions = reference.functions(course.lab(f"{EXERCISES.lab(name):02d}"))
    return inspect.unwrap(functions[name]).__globals__


def ask(space: dict, name: str, case):
    return client.answer_here(name, space[name], case.inputs)


def verdicts(space: dict, later: str, before: dict | None = None):
    """The first and the second verdict on an exercise, its functions and earlier ones in one notebook."""
    exercise = EXERCISES[later]
    first = judge(exercise, exercise.cases(SEED), partial(ask, space, later))
    return first, judge_again(EXERCISES, first, partial(ask, space), lambda _name: SEED, before or {})


def quickly(triple: tuple) -> bool:
    """Whether this is the wrong answer that stands for its pair in the quick tests."""
    return PAIRS_BY_NAME[triple[:2]] == triple[2]


@pytest.mark.parametrize(
    ("later", "earlier", "wrong"),
    few(CARRIED, of=[each for each in CARRIED if quickly(each)][2::3]),
)
def test_what_follows_earns_its_points(later, earlier, wrong):
    """The right function that calls a wrong earlier one is right, and told what to mend first."""
    space = lab_of(later)
    space[earlier] = WRONG[earlier, wrong]
    first, second = verdicts(space, later)
    assert first.status == Ending.WRONG
    assert second.share == 1, second.message()
    assert second.status == Ending.RIGHT
    assert second.given == [earlier]
    assert f"right, given your {earlier}; mend that first" in " ".join(second.message().split())
    assert second.headline() == f"right, given your {earlier}; mend that first"
    assert all(len(line) <= WIDTH for line in second.message().splitlines())


@pytest.mark.parametrize(
    ("pair", "wrong"),
    few(PAIRS, of=[each for each in PAIRS if each[0][0] not in COSTLY]),
)
def test_what_does_not_follow_earns_nothing(pair, wrong):
    """A wrong later function earns no more than it did, however wrong the earlier one is."""
    later, earlier = pair
    space = lab_of(later)
    space[earlier] = WRONG[earlier, wrong]
    tried = [
        function
        for (name, answer), function in WRONG.items()
        if name == later and not answer.startswith("right_")
    ]
    for function in tried[:2]:
        space[later] = function
        first, second = verdicts(space, later)
        assert second == first, function.__name__


@pytest.mark.parametrize(("later", "earlier"), few(NAMED, of=NAMED[::3]))
def test_a_trivial_earlier_function_carries_nothing(later, earlier):
    """Nobody earns a later exercise by an earlier function that ignores its input."""
    space = lab_of(later)
    space[earlier] = TRIVIAL[earlier]
    first, second = verdicts(space, later)
    assert first.status == Ending.WRONG
    assert second == first


@pytest.mark.parametrize(("later", "earlier"), few(NAMED, of=NAMED[1::3]))
def test_an_earlier_function_that_is_not_written(later, earlier):
    """What is not written yet carries nothing."""
    space = lab_of(later)
    space[earlier] = WRONG[earlier, "not_written"]
    space[later] = next(f for (name, wrong), f in WRONG.items() if name == later and "right" not in wrong)
    first, second = verdicts(space, later)
    assert second == first


@pytest.mark.parametrize("later", few(LATER, of=LATER[::3]))
def test_right_earlier_functions_change_no_message(later):
    """Where the earlier functions are right, a wrong later one has the verdict that it always had."""
    space = lab_of(later)
    for (name, wrong), function in WRONG.items():
        if name == later and not wrong.startswith("right_"):
            space[later] = function
            first, second = verdicts(space, later)
            assert second == first
            break


def test_an_earlier_function_that_takes_matrices_only():
    """All weights may be passed on as a matrix of one row."""
    space, lax = lab_of("global_magnitude_masks"), WRONG["magnitude_mask", "stays_at_threshold"]

    def of_matrices(weight, sparsity):
        rows, columns = weight.shape
        return lax(weight, sparsity).view(rows, columns)

    def one_row(weights, sparsity):
        every = torch.cat([weight.flatten() for weight in weights.values()])
        parts = of_matrices(every[None], sparsity).flatten().split([w.numel() for w in weights.values()])
        return {name: part.view(weights[name].shape) for name, part in zip(weights, parts, strict=True)}

    space |= {"magnitude_mask": of_matrices, "global_magnitude_masks": one_row}
    _, second = verdicts(space, "global_magnitude_masks")
    assert (second.share, second.given) == (1, ["magnitude_mask"])


def test_at_home(capsys):
    """The check of a notebook at home says the same sentence, and does not stop there."""
    space = lab_of("global_magnitude_masks")
    space["magnitude_mask"] = WRONG["magnitude_mask", "stays_at_threshold"]
    check.global_magnitude_masks(space["global_magnitude_masks"])
    said = " ".join(capsys.readouterr().out.split())
    assert said.endswith("right, given your magnitude_mask; mend that first")


def said_at_home(space: dict, name: str) -> str:
    """What a failing check says at home, in one line."""
    with pytest.raises(CheckFailed) as caught:
        getattr(check, name)(space[name])
    assert len(str(caught.value).splitlines()) <= 20
    return " ".join(str(caught.value).split())


def test_at_home_an_earlier_function_that_fails_is_named():
    """Where the later function is wrong as well, its message says which one to mend first."""
    space = lab_of("prune_wanda")
    space["row_mask"] = WRONG["row_mask", "largest"]
    space["prune_wanda"] = called_in(space, WRONG["prune_wanda", "returns_nothing"])
    said = said_at_home(space, "prune_wanda")
    assert "Your row_mask does not pass its own check: mend that first." in said
    assert "wanda_score" not in said
    space["prune_wanda"] = WRONG["prune_wanda", "returns_nothing"]
    assert "mend that first" not in said_at_home(space, "prune_wanda")  # no row_mask is defined beside it


def test_an_error_of_an_earlier_function_says_so():
    """The message names the function that raised it, and the mistake in it."""
    space = lab_of("prune_magnitude")
    wrong = WRONG["magnitude_mask", "kthvalue_not_flattened"]
    wrong = FunctionType(wrong.__code__.replace(co_name="magnitude_mask"), wrong.__globals__)
    space["magnitude_mask"] = wrong
    said = said_at_home(space, "prune_magnitude")
    assert "your function raised RuntimeError in your magnitude_mask: " in said
    assert "It looks as if the matrix was not flattened" in said
    assert "Your magnitude_mask does not pass its own check: mend that first." in said


def test_a_wrong_argument_for_an_earlier_function_is_named():
    """The tuple of a hook fails in the right `hessian`: the mistake is the caller's, and keeps its name."""
    space = lab_of("prune_sparsegpt")

    def prune_sparsegpt(model, batches, sparsity, pattern=None):
        layer = next(module for name, module in model.named_modules() if name.endswith("q_proj"))
        layer.register_forward_pre_hook(lambda _linear, inputs: hessian(inputs))  # noqa: F821
        model.model(torch.cat(batches))

    space["prune_sparsegpt"] = called_in(space, prune_sparsegpt)
    said = said_at_home(space, "prune_sparsegpt")
    assert "A hook gets the inputs of its layer as a tuple, here of one tensor: inputs[0]" in said


def called_in(space: dict, function: FunctionType) -> FunctionType:
    """The function with the globals of a notebook beside its own."""
    return FunctionType(function.__code__, function.__globals__ | space)


def test_two_wrong_earlier_functions():
    """Both are named, and the message still fits."""
    space = lab_of("prune_wanda")
    space["wanda_score"] = WRONG["wanda_score", "squared_norm"]
    space["row_mask"] = WRONG["row_mask", "stays_at_threshold"]
    _, second = verdicts(space, "prune_wanda")
    assert second.status == Ending.RIGHT
    assert second.headline() == "right, given your wanda_score and row_mask; mend those first"
    assert all(len(line) <= WIDTH for line in second.message().splitlines())


def test_partly_right_given_an_earlier_one():
    """A function that follows in its first case and fails a later one says so, and earns its share."""
    space = lab_of("global_magnitude_masks")
    space["magnitude_mask"] = WRONG["magnitude_mask", "stays_at_threshold"]
    right = space["global_magnitude_masks"]
    space["global_magnitude_masks"] = lambda weights, sparsity: right(weights, min(max(sparsity, 0), 1))
    _, second = verdicts(space, "global_magnitude_masks")
    assert second.status == Ending.WRONG
    assert 0 < second.share < 1
    assert "given your magnitude_mask; mend that first" in second.message()


def test_a_function_that_answers_otherwise_than_before():
    """An earlier function that fared better under its own check is not the one that was judged."""
    space = lab_of("prune_magnitude")
    exercise = EXERCISES["magnitude_mask"]
    before = judge(exercise, exercise.cases(SEED), partial(ask, space, "magnitude_mask"))
    space["magnitude_mask"] = WRONG["magnitude_mask", "stays_at_threshold"]
    first, second = verdicts(space, "prune_magnitude", {"magnitude_mask": before})
    assert second == first


def test_a_threshold_of_its_own_for_each_weight_is_not_carried():
    """A mask by a constant threshold is the same for all weights together and for each alone."""
    space = lab_of("global_magnitude_masks")
    space["magnitude_mask"] = lambda weight, sparsity: weight.abs() > 3 + sparsity
    space["global_magnitude_masks"] = lambda weights, sparsity: {
        name: space["magnitude_mask"](weight, sparsity) for name, weight in weights.items()
    }
    first, second = verdicts(space, "global_magnitude_masks")
    assert second == first


STRANGE_LATER = {
    "none": lambda value: None,
    "nan": lambda value: spoiled(value, float("nan")),
    "zero": lambda value: spoiled(value, 0),
    "huge": lambda value: spoiled(value, 2**62),
    "empty": lambda value: torch.zeros(0),
    "nested": lambda value: [[value]],
    "wide": lambda value: torch.ones(1, 2, 3, 4),
    "opaque": lambda value: wire.Opaque("module.Everything"),
}


def spoiled(value, number):
    """The value with every number replaced, in the same form where that is possible."""
    if isinstance(value, tuple):
        return tuple(spoiled(item, number) for item in value)
    if isinstance(value, torch.Tensor):
        return torch.full_like(value, number if value.is_floating_point() else 0)
    return number


@pytest.mark.thorough
@pytest.mark.parametrize("kind", STRANGE_LATER)
@pytest.mark.parametrize(("pair", "wrong"), PAIRS)
def test_strange_answers_of_an_earlier_function(pair, wrong, kind):
    """A client that changes its mind earns nothing by it, and the judge does not fail."""
    later, earlier = pair
    space, asked = lab_of(later), []
    space[earlier] = WRONG[earlier, wrong]
    own = len(EXERCISES[earlier].cases(SEED)) + DRAWS

    def turning(_space, name, case):
        answer = ask(space, name, case)
        asked.append(name)
        if name == earlier and asked.count(earlier) > own:
            answer["value"] = STRANGE_LATER[kind](answer["value"])
        return answer

    exercise = EXERCISES[later]
    cases = [case for case in exercise.cases(SEED) if not case.costly]
    first = judge(exercise, cases, partial(ask, space, later))
    second = judge_again(EXERCISES, first, partial(turning, space), lambda _name: SEED, {})
    assert second == first


@pytest.mark.parametrize("name", EXERCISES)
def test_what_builds_on_what(name):
    """An exercise builds on earlier ones of its own lab, and says what follows from them."""
    exercise = EXERCISES[name]
    assert bool(exercise.builds_on) == (exercise.given is not None)
    for earlier in exercise.builds_on:
        assert EXERCISES.lab(earlier) == EXERCISES.lab(name)
        assert EXERCISES[earlier].number < exercise.number


@pytest.mark.parametrize("lab", course.labs())
def test_whatever_calls_an_earlier_one_is_carried(lab):
    """An exercise builds on those that the lab's own answer calls, and each such pair is tried above."""
    for name, function in reference.functions(lab).items():
        called = {*used(inspect.unwrap(function).__code__)} & EXERCISES.keys()
        own = {each for each in called if EXERCISES.lab(each) == EXERCISES.lab(name)} - {name}
        assert own == {*EXERCISES[name].builds_on}, name
        assert {(name, each) for each in own} <= PAIRS_BY_NAME.keys()


def used(code) -> set[str]:
    """The global names that a function uses, inner functions included."""
    inner = [each for each in code.co_consts if inspect.iscode(each)]
    return {*code.co_names}.union(*map(used, inner))
