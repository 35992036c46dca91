"""What must hold of every LoRA training, of its losses and of the weights, and its likely mistakes."""

import math
from collections.abc import Collection, Iterator

import torch
from torch import nn

from labsupport.check.judge.kit.causes import Cause, Named
from labsupport.check.judge.kit.compare import Wrong, is_number, kind
from labsupport.check.judge.kit.lines import many, some_of
from labsupport.check.judge.kit.weight_names import all_there
from labsupport.linears import pruned_linears

Weights = dict[str, torch.Tensor]  # every weight of an answer's model, by name


def listed(losses, steps: int, batches: Collection) -> None:
    """Raise Wrong unless there is one loss a step."""
    if not isinstance(losses, list):
        raise Wrong(kind(losses, "your function returned"))
    if len(losses) != steps:
        raise Wrong(
            f"yours has {len(losses)}, for {many(steps, 'step')} and {many(len(batches), 'batch', 'batches')}"
        )


def numbers(losses: list) -> None:
    """Raise Wrong unless every loss is a finite Python number."""
    for step, loss in enumerate(losses, 1):
        try:
            is_number(loss)
        except Wrong as found:
            raise Wrong(f"that of step {step}: {found.reason}") from None


def in_turn(losses: list, right: list[float]) -> None:
    """Raise Wrong unless the losses of a training that changes nothing are those of the batches.

    Their order is free, but no batch comes again before all others came.
    """
    numbers(losses)
    left: list[float] = []
    for step, loss in enumerate(losses):
        if step % len(right) == 0:
            left = list(right)
        near = min(left, key=lambda each: abs(each - loss))
        if not math.isclose(loss, near, rel_tol=2e-3):
            raise Wrong(f"that of step {step + 1} is {loss:.4g}, and the batch that is next has {near:.4g}")
        left.remove(near)


def named(weights: Weights, model: nn.Module) -> None:
    """Raise Wrong unless the weights have the names, shapes and types of this model, without adapters."""
    wanted = model.state_dict()
    if left := sorted(name for name in weights if "lora" in name.lower()):
        raise Wrong(f"{len(left)} adapter weights are left in the model, the first is {left[0]}")
    all_there(weights, wanted)
    for name, weight in wanted.items():
        found = weights[name]
        if found.shape != weight.shape or found.dtype != weight.dtype:
            raise Wrong(f"{name} is now {tuple(found.shape)} of {found.dtype}")
        if not bool(found.isfinite().all()):
            raise Wrong(f"{name} holds inf or NaN")


def layers(weights: Weights, model: nn.Module) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Every pruned Linear's weight [out, in] in this model, and in the answer."""
    return {
        name: (linear.weight.cpu(), weights[f"{name}.weight"])
        for name, linear in pruned_linears(model).items()
    }


def frozen(weights: Weights, model: nn.Module) -> None:
    """Raise Wrong unless all weights but those of the pruned Linears are the model's."""
    inside = {f"{name}.weight" for name in layers(weights, model)}
    for name, weight in model.state_dict().items():
        if name not in inside and not torch.equal(weights[name], weight.cpu()):
            raise Wrong(f"{name} changed")


def learned(weights: Weights, model: nn.Module) -> None:
    """Raise Wrong unless every pruned Linear has another weight than in the model."""
    pairs = layers(weights, model)
    still = [name for name, (before, after) in pairs.items() if torch.equal(before, after)]
    if len(still) == len(pairs):
        raise Wrong("every weight is as it was: what was learned is not in the model")
    if still:
        raise Wrong(
            f"{some_of(len(still), len(pairs), 'is as it was', 'are as they were')}, the first is {still[0]}"
        )


def unmoved(weights: Weights, model: nn.Module) -> None:
    """Raise Wrong unless every pruned Linear has the model's weight, up to rounding."""
    for name, (before, after) in layers(weights, model).items():
        if not torch.allclose(before, after, rtol=1e-3, atol=1e-5):
            raise Wrong(f"{name} changed")


def causes(
    inputs: dict, losses, weights: Weights, model: nn.Module, batches: list[torch.Tensor], loop: str
) -> Iterator[Named]:
    """The mistakes that explain losses and weights, in the order of the search.

    inputs: steps and learning_rate of the case; model: as it came; loop: a pointer to the lab's section.
    """
    before = {name: weight.cpu() for name, weight in model.state_dict().items()}
    linears = {f"{name}.weight" for name in pruned_linears(model)}
    if isinstance(losses, list) and len(losses) == len(batches) != inputs["steps"]:
        yield (
            "It looks as if each batch was used once. Steps count updates: after the last batch, start "
            f"again with the first, {loop}\nTry itertools.cycle."
        )
    if any("lora" in name.lower() for name in weights):
        yield (
            "It looks as if the adapters were never merged: the model still carries them, and its own "
            f"weights learned nothing, {loop}\nTry merge_and_unload."
        )
    if not inputs["learning_rate"]:
        yield (
            "It looks as if every step took the same batch: with a learning rate of 0 they all have one "
            f"loss. Go through the batches, one a step, {loop}\nTry itertools.cycle."
            if len(set(losses)) == 1 < len(losses)
            else f"It looks as if the given learning_rate was not used, {loop}"
        )
    if not comparable(weights, before):
        return
    still = [name for name in before if name in linears and torch.equal(weights[name], before[name])]
    if len(still) == len(linears) and _flat(losses, batches):
        yield (
            "It looks as if no step moved the LoRA matrices: your losses do not fall. A step is backward(), "
            f"step() and zero_grad(), in this order, on the weights that require gradients, {loop}"
        )
    if rising(losses, batches):
        yield (
            "Your losses fall and rise again. So they do where gradients pile up: backward() adds to those "
            f"that are there, so zero_grad() comes after every step, {loop}"
        )
    if still and len(still) < len(linears):
        kinds = ", ".join(sorted({name.split(".")[-2] for name in still}))
        yield Cause(
            f"It looks as if no LoRA matrices stood beside {kinds}. Every Linear of the decoder layers gets "
            f"them, {loop}\nTry lora.targeted_module_names: which are missing?",
            "no LoRA matrices beside some kinds of layers",
        )
    if all(torch.equal(weights[name], before[name]) for name in before):
        yield f"It looks as if the adapters were taken out without being merged, {loop}"
    if any(not torch.equal(weights[name], before[name]) for name in before if name not in linears):
        yield (
            "It looks as if the base was trained too. LoRA freezes every weight that was there and trains "
            f"its own matrices alone, {loop}\n"
            "Try [name for name, p in model.named_parameters() if p.requires_grad]."
        )


def comparable(weights: Weights, before: Weights) -> bool:
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
