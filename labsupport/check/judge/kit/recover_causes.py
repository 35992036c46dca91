"""The likely mistakes behind a wrong answer to recover, lab 06."""

import math
from collections.abc import Iterator

import torch

from labsupport.check.ask.own.recover import Recovered, built, texts
from labsupport.check.judge.kit import training
from labsupport.check.judge.kit.causes import Named, see
from labsupport.check.judge.kit.lora import FILLS, LOW, ROUNDING, numerical_rank
from labsupport.linears import pruned_linears

LOOP = see("6.3", "What learns and what does not")


def cause(inputs: dict, answer: Recovered) -> Iterator[Named]:
    """The mistakes that explain the losses and weights, in the order of the search."""
    model, weights, losses = built(inputs), answer.weights, answer.value
    batches = texts(inputs)[0]  # each [4, 32]
    before = {name: weight.cpu() for name, weight in model.state_dict().items()}
    linears = {f"{name}.weight" for name in pruned_linears(model)}
    yield from training.causes(inputs, losses, weights, model, batches, LOOP)
    if not training.comparable(weights, before):
        return
    if _shifted_twice(model, losses, batches):
        yield (
            "It looks as if the labels were shifted twice. The model shifts them itself: tokens and labels "
            f"are the same tensor, {LOOP}"
        )
    if any(bool((weights[name][before[name] == 0] != 0).any()) for name in linears):
        yield (
            "It looks as if the masks were forgotten in the merge: B A is dense and fills the zeros, "
            f"{FILLS}\nTry linears.model_sparsity(model) before and after."
        )
    if inputs["pruned"] == "sliced" and any(
        numerical_rank(weights[name] - before[name], ROUNDING) > LOW for name in linears
    ):
        yield f"It looks as if the weights themselves were trained, not two thin matrices, {LOOP}"


@torch.no_grad()
def _shifted_twice(model, losses: list[float], batches: list[torch.Tensor]) -> bool:
    """Whether the first loss is that of predicting the token after the next one."""
    found = []
    for batch in batches:
        batch = batch.to(model.device)  # [B, L]
        found.append(model(input_ids=batch[:, :-1], labels=batch[:, 1:], use_cache=False).loss.item())
    return any(math.isclose(losses[0], loss, rel_tol=1e-5) for loss in found)
