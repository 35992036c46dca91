"""The likely mistakes behind a wrong answer to recover, lab 06."""

import math
from collections.abc import Iterator

import torch

from labsupport.check.ask.own.recover import Recovered, built, texts
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.lora import FILLS, LOW, ROUNDING, numerical_rank
from labsupport.linears import pruned_linears

LOOP = see("6.3", "What learns and what does not")


def cause(inputs: dict, answer: Recovered) -> Iterator[Named]:
    """The mistakes that explain the losses and weights, in the order of the search."""
    model, weights, losses = built(inputs), answer.weights, answer.value
    batches = texts(inputs)[0]  # each [4, 32]
    before = {name: weight.cpu() for name, weight in model.state_dict().items()}
    linears = {f"{name}.weight" for name in pruned_linears(model)}
    if isinstance(losses, list) and len(losses) == len(batches) != inputs["steps"]:
        yield (
            "It looks as if each batch was used once. Steps count updates: after the last batch, start "
            f"again with the first, {LOOP}\nTry itertools.cycle."
        )
    if any("lora" in name.lower() for name in weights):
        yield (
            "It looks as if the adapters were never merged: the model still carries them, and its own "
            f"weights learned nothing, {LOOP}\nTry merge_and_unload."
        )
    if not inputs["learning_rate"]:
        yield f"It looks as if the given learning_rate was not used, {LOOP}"
    if not _comparable(weights, before):
        return
    still = [name for name in before if name in linears and torch.equal(weights[name], before[name])]
    if len(still) == len(linears) and _flat(losses, batches):
        yield (
            "It looks as if no step moved the LoRA matrices: your losses do not fall. A step is backward(), "
            f"step() and zero_grad(), in this order, on the weights that require gradients, {LOOP}"
        )
    if rising(losses, batches):
        yield (
            "Your losses fall and rise again. That happens when gradients add up over the steps: backward() "
            f"adds to those that are there, so call zero_grad() after every step, {LOOP}"
        )
    if still and len(still) < len(linears):
        kinds = ", ".join(sorted({name.split(".")[-2] for name in still}))
        yield Cause(
            f"It looks as if no LoRA matrices stood beside {kinds}. Every Linear of the decoder layers gets "
            f"them, {LOOP}\nTry lora.targeted_module_names: which are missing?",
            "no LoRA matrices beside some kinds of layers",
        )
    if _shifted_twice(model, losses, batches):
        yield (
            "It looks as if the labels were shifted twice. The model shifts them itself: tokens and labels "
            f"are the same tensor, {LOOP}"
        )
    if all(torch.equal(weights[name], before[name]) for name in before):
        yield f"It looks as if the adapters were taken out without being merged, {LOOP}"
    if any(not torch.equal(weights[name], before[name]) for name in before if name not in linears):
        yield (
            "It looks as if the base was trained too. LoRA freezes every weight that was there and trains "
            f"its own matrices alone, {LOOP}\n"
            "Try [name for name, p in model.named_parameters() if p.requires_grad]."
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


def _comparable(weights: dict[str, torch.Tensor], before: dict[str, torch.Tensor]) -> bool:
    """Whether an answer has the names, shapes and types of the model, and finite numbers."""
    return weights.keys() == before.keys() and all(
        weights[name].shape == weight.shape
        and weights[name].dtype == weight.dtype
        and bool(weights[name].isfinite().all())
        for name, weight in before.items()
    )


def _flat(losses: list[float], batches: list[torch.Tensor]) -> bool:
    """Whether the loss of the last epoch over the batches [B, L] is as high as that of the first."""
    once = len(batches)
    return len(losses) >= 2 * once and sum(losses[-once:]) > 0.9 * sum(losses[:once])


def rising(losses: list[float], batches: list[torch.Tensor]) -> bool:
    """Whether the loss of the last epoch over the batches [B, L] is far above that of the best epoch."""
    once = len(batches)
    epochs = [sum(losses[end - once : end]) for end in range(once, len(losses) + 1, once)]
    return bool(epochs) and epochs[-1] > 1.3 * min(epochs)


@torch.no_grad()
def _shifted_twice(model, losses: list[float], batches: list[torch.Tensor]) -> bool:
    """Whether the first loss is that of predicting the token after the next one."""
    found = []
    for batch in batches:
        batch = batch.to(model.device)  # [B, L]
        found.append(model(input_ids=batch[:, :-1], labels=batch[:, 1:], use_cache=False).loss.item())
    return any(math.isclose(losses[0], loss, rel_tol=1e-5) for loss in found)
