"""What a student is taught: the distance to its teacher, and the mistakes that losses and weights show."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from labsupport.check.ask import recipes
from labsupport.check.ask.own.distill import Taught, built, texts
from labsupport.check.ask.pruned import digests
from labsupport.check.judge.kit import training
from labsupport.check.judge.kit.causes import Cause, Named, see

LESSON = see("10.5", "A step of distillation")
TEMPERATURE = 2.0


@torch.no_grad()
def logits_of(model: Any, windows: torch.Tensor) -> torch.Tensor:
    """The logits [B, L, V] of a model on windows [B, L], on the CPU."""
    return model(windows.to(model.device), use_cache=False).logits.cpu()


def guesses(model: nn.Module, windows: torch.Tensor, temperature: float) -> torch.Tensor:
    """ln p of every guess that has a target, float64 [B, L - 1, V], of windows [B, L]."""
    return (logits_of(model, windows)[:, :-1].double() / temperature).log_softmax(dim=-1)


def divergence(mine: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """KL(wanted, mine) of every guess, from ln p [B, L, V]: [B, L]."""
    return (wanted.exp() * (wanted - mine)).sum(dim=-1)


def apart(student: nn.Module, teacher: nn.Module, windows: torch.Tensor) -> float:
    """The mean divergence in nats of a student's guesses from the teacher's, at T = 1; windows [B, L]."""
    return divergence(guesses(student, windows, 1), guesses(teacher, windows, 1)).mean().item()


def first_losses(student: nn.Module, teacher: nn.Module, batches, temperature: float) -> list[float]:
    """The loss of every batch [B, L] at this temperature, before anything was learned."""
    pairs = [[guesses(model, batch, temperature) for model in (student, teacher)] for batch in batches]
    return [temperature**2 * divergence(*pair).mean().item() for pair in pairs]


def one_of(loss: float, losses: list[float], factor: float = 1.0) -> bool:
    """Whether a loss is one of these times a factor, up to rounding."""
    return any(math.isclose(loss, factor * each, rel_tol=1e-3) for each in losses)


def cause(inputs: dict, answer: Taught) -> Iterator[Named]:
    """The mistakes that explain losses and weights, in the order of the search."""
    student, teacher = built(inputs), recipes.model(inputs["model"])
    losses, batches = answer.value, texts(inputs)[0]
    if answer.teacher and answer.teacher != digests(teacher):
        yield (
            "It looks as if the teacher learned as well. Only the LoRA matrices of the student go to the "
            f"optimiser, {LESSON}"
        )
    yield from _first_loss(student, teacher, losses, batches)
    yield from training.causes(inputs, losses, answer.weights, student, batches, LESSON)


def _first_loss(student, teacher, losses: list[float], batches) -> Iterator[Named]:
    """The mistakes of the loss itself, by the first one, before anything was learned."""

    right, (batch, length) = first_losses(student, teacher, batches, TEMPERATURE), batches[0].shape
    if one_of(losses[0], right):
        return
    if one_of(losses[0], [labelled(student, each) for each in batches]):
        yield (
            "It looks as if the labels taught the student: your first loss is the cross-entropy with the "
            f"tokens. The teacher's guesses are the target, {LESSON}\nTry distill_loss."
        )
    if one_of(losses[0], first_losses(teacher, student, batches, TEMPERATURE)):
        yield "It looks as if student and teacher changed places: the student's logits come first."
    for temperature in (1.0, 0.5, 4.0):
        if one_of(losses[0], first_losses(student, teacher, batches, temperature)):
            text = f"It looks as if the temperature is {temperature:g}. It is to be {TEMPERATURE:g}, {LESSON}"
            yield Cause(text, "another temperature")
    if one_of(losses[0], right, -1.0):
        yield f"It looks as if the sign of the loss is turned round: the student would flee, {LESSON}"
    if one_of(losses[0], right, 1 / TEMPERATURE**2):
        yield f"It looks as if the factor T squared is missing from the loss, {LESSON}"
    if one_of(losses[0], right, length - 1) or one_of(losses[0], right, batch * (length - 1)):
        yield "It looks as if the loss is no mean over all guesses. Does your distill_loss pass its check?"


def labelled(model: nn.Module, batch: torch.Tensor) -> float:
    """The mean loss of the labels of a batch [B, L]."""
    return -guesses(model, batch, 1).gather(-1, batch[:, 1:, None]).mean().item()
