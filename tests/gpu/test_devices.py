"""One rule for devices: cases of single functions are on the CPU, the course model is on the card."""

import itertools

import pytest
import torch
from torch.nn.functional import cross_entropy

from labsupport.check.ask import card as place
from labsupport.check.ask import recipes
from labsupport.check.ask.client import answer_here
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.judging import judge
from labsupport.check.judge.kit.verdict import Ending
from labsupport.linears import pruned_linears

pytestmark = [pytest.mark.gpu, pytest.mark.lengthy, pytest.mark.usefixtures("tiny_course", "card")]


def verdict(name: str, function):
    """The verdict on a function, the course model's case included."""
    exercise = EXERCISES[name]
    return judge(exercise, exercise.cases(0), lambda case: answer_here(name, function, case.inputs))


def test_where_models_are():
    """A tiny model of a case is on the CPU, the course model is on the card."""
    assert recipes.model({"tiny": 3}).device.type == "cpu"
    assert recipes.model(recipes.course_model()).device == torch.device("cuda", 0)


def test_a_tensor_without_a_device():
    """`torch.ones(n)` is right in the case of a single function, as on a laptop."""

    def magnitude_mask(weight, sparsity):
        if not 0 <= sparsity <= 1:
            raise ValueError("sparsity")
        keep = torch.ones(weight.numel(), dtype=torch.bool)
        keep[weight.abs().flatten().argsort()[: round(sparsity * weight.numel())]] = False
        return keep.view(weight.shape)

    assert verdict("magnitude_mask", magnitude_mask).status == Ending.RIGHT


def test_an_index_out_of_range():
    """It is an IndexError and not a dead kernel."""
    found = verdict("row_mask", lambda score, sparsity: score[score.shape[0]] > 0)
    assert "IndexError" in found.message()


def laptop(model, token_windows):
    """A perplexity whose author knows one device."""
    before = model.training
    model.eval()
    total, count = torch.zeros(1, dtype=torch.float64), 0
    with torch.no_grad():
        for window in token_windows:
            logits = model(window[None]).logits[0, :-1].float()
            total += cross_entropy(logits, window[1:], reduction="sum")
            count += len(window) - 1
    model.train(before)
    return (total / count).exp().item()


def home(model, token_windows):
    """One that moves the windows, and takes the targets from those of the CPU, as windows are at home."""
    before = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for window in token_windows:
            logits = model(window[None].to(model.device)).logits[0, :-1].float().cpu()
            total += cross_entropy(logits, window[1:], reduction="sum").item()
            count += len(window) - 1
    model.train(before)
    return float(torch.tensor(total / count).exp())


@pytest.mark.parametrize("function", [laptop, home])
def test_perplexity(function):
    """Both ways to write it are right where the course model is on a card."""
    found = verdict("perplexity", function)
    assert found.status == Ending.RIGHT, found.message()


def test_norms_without_a_device():
    """Sums that are begun with torch.zeros(in_features)."""

    def input_norms(model, batches):
        squares = {name: torch.zeros(linear.in_features) for name, linear in pruned_linears(model).items()}

        def listen(name):
            def hook(_layer, inputs):
                squares[name] += inputs[0].float().square().flatten(0, -2).sum(0)

            return hook

        handles = [
            linear.register_forward_pre_hook(listen(name)) for name, linear in pruned_linears(model).items()
        ]
        before = model.training
        model.eval()
        try:
            with torch.no_grad():
                for batch in batches:
                    model(batch)
        finally:
            model.train(before)
            for handle in handles:
                handle.remove()
        return {name: total.sqrt() for name, total in squares.items()}

    found = verdict("input_norms", input_norms)
    assert found.status == Ending.RIGHT, found.message()


def test_numbers_drawn_with_a_generator():
    """They are those of the CPU, also while new tensors are made on the card."""
    model = recipes.model(recipes.course_model())
    with place.at_home(model):
        drawn = torch.rand(3, generator=torch.Generator().manual_seed(1))
        assert torch.zeros(3).device.type == "cuda"
    assert drawn.device.type == "cpu"
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(1)))


def test_two_devices_in_a_function_are_its_mistake():
    """Mixing that no placing mends is still told."""

    def mixes(model, token_windows):
        return float(next(iter(model.parameters())).sum() + next(itertools.chain(token_windows.cpu())).sum())

    assert verdict("perplexity", mixes).status == Ending.WRONG
