"""The judges' own divergence of two models' guesses, token by token, and what mistakes give instead."""

import math

import torch

from labsupport.check.judge.kit.causes import see
from labsupport.check.judge.kit.surprise import surprise

SOFT = see("10.4", "Soft targets")
SIZE = see("10.4", "Why T squared")


def log_guesses(row: list[float], temperature: float) -> list[float]:
    """ln p of every token, from one row of logits over T, in Python's own numbers."""
    scaled = [value / temperature for value in row]
    top = max(scaled)
    total = top + math.log(math.fsum(math.exp(value - top) for value in scaled))
    return [value - total for value in scaled]


def divergences(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> list[list[float]]:
    """KL(teacher, student) in nats of every guess of every window. Logits: [B, L, V]."""

    def divergence(mine: list[float], wanted: list[float]) -> float:
        mine, wanted = log_guesses(mine, temperature), log_guesses(wanted, temperature)
        return math.fsum(math.exp(q) * (q - p) for p, q in zip(mine, wanted, strict=True))

    return [
        [divergence(*rows) for rows in zip(*window, strict=True)]
        for window in zip(student.tolist(), teacher.tolist(), strict=True)
    ]


def slope(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """The gradient of the loss for the student's logits, float64 [B, L, V]: T (p - q) over the targets.

    It is zero at the last position of every window, whose guess has no target.
    """
    mine, wanted = ((each.double() / temperature).softmax(dim=-1) for each in (student, teacher))
    found = temperature * (mine - wanted) / (student.shape[0] * (student.shape[1] - 1))
    found[:, -1] = 0
    return found


def mistakes(
    student_logits: torch.Tensor, teacher_logits: torch.Tensor, token_ids: torch.Tensor, temperature: float
) -> list[tuple[float, str]]:
    """The loss that each mistake gives, and the sentence that names it. Logits: [B, L, V]."""
    student, teacher, t = student_logits, teacher_logits, temperature
    batch, length, vocabulary = student.shape
    targets = batch * (length - 1)

    def kl(mine, wanted, heat: float, places: slice = slice(None, -1)) -> float:
        """The sum of the divergences of these positions of every window."""
        return math.fsum(each for window in divergences(mine, wanted, heat) for each in window[places])

    def apart(mine, wanted) -> float:
        """The same sum for logits that are softened already."""
        return kl(mine, wanted, 1.0)

    def over_places() -> float:
        """The sum where every softmax runs along a window."""
        one, other = ((each.double()[:, :-1] / t).log_softmax(dim=1) for each in (student, teacher))
        return (other.exp() * (other - one)).sum().item()

    total = kl(student, teacher, t)
    loss = t * t * total / targets
    p, q = ((each.double() / t).log_softmax(dim=-1)[:, :-1] for each in (student, teacher))
    soft_cross = t * t * -(q.exp() * p).sum().item() / targets
    hard = surprise(student, token_ids, 1)[0] / targets
    size = (
        f"It looks as if the factor T squared is not there as asked: the gradient shrinks as T grows, {SIZE}"
    )
    over_batch = (
        'It looks as if the sum was divided by the number of windows: "batchmean" divides by the first axis '
        f"alone. There are {targets} guesses with a target, so flatten windows and positions into one axis, "
        f"{SOFT}"
    )
    shifted = (
        "It looks as if student and teacher were shifted against each other. Both guess the same token at "
        f"the same position: leave the last position out of both, {SOFT}"
    )
    last = (
        "It looks as if the last guess of every window was counted. Its target lies beyond the window, as in "
        f"lab 01: {SOFT}"
    )
    labels = f"It looks as if the labels had a say. Here the teacher's guesses are the only target, {SOFT}"
    one_side = f"It looks as if only one of the two was divided by T: student and teacher both are, {SOFT}"
    backwards = (
        "It looks as if student and teacher changed places. The teacher's probabilities weigh the "
        f"differences, {SOFT}\nTry F.kl_div(student, teacher): its first argument is the student's."
    )
    return [
        (total / targets, size),
        (t * total / targets, size),
        (total / targets / t, size),
        (t * t * total / batch, over_batch),
        (total / batch, over_batch),
        (t * t * kl(student, teacher, t, slice(None)) / batch, over_batch),
        (t * t * total, f"It looks as if the guesses were summed, not averaged, {SOFT}"),
        (loss / vocabulary,
         'It looks as if the sum was divided by the vocabulary, too: "mean" divides by every axis. The mean '
         f"runs over guesses, {SOFT}"),
        (t * t * kl(student, teacher, t, slice(None)) / (batch * length), last),
        (t * t * kl(student, teacher, t, slice(None)) / targets, last),
        (t * t * kl(student, teacher, t, slice(1, None)) / targets, last),
        (t * t * (q.exp() * (q - p.exp())).sum().item() / targets,
         "It looks as if kl_div got the student's probabilities. Its first argument is the student's "
         f"log_softmax, {SOFT}"),
        (t * t * over_places() / targets,
         "It looks as if the softmax ran over the positions. A guess runs over the vocabulary, dim=-1, "
         f"{SOFT}"),
        (t**4 * total / targets, f"It looks as if the factor T squared is there twice, {SIZE}"),
        (2 * t * total / targets, f"It looks as if T was doubled and not squared: T ** 2, {SIZE}"),
        (loss * targets / (batch * length),
         f"It looks as if the sum was divided by all {batch * length} tokens. {targets} guesses have a "
         f"target, {SOFT}"),
        (t * t * kl(student, torch.roll(teacher, -1, dims=1), t) / targets, shifted),
        (t * t * kl(torch.roll(student, -1, dims=1), teacher, t) / targets, shifted),
        (t * t * kl(teacher, student, t) / targets, backwards),
        (soft_cross,
         "It looks as if this is the cross-entropy with the teacher's guesses. Subtract the teacher's own "
         f"entropy, and equal guesses cost nothing, {SOFT}"),
        (t * t * kl(student, teacher, 1 / t) / targets,
         "It looks as if the logits were multiplied by T. A high temperature makes guesses softer: divide."),
        (t * t * apart(student / t, teacher) / targets, one_side),
        (t * t * apart(student, teacher / t) / targets, one_side),
        (apart(student, teacher) / targets, "It looks as if the temperature was not used: divide by T."),
        (t * t * apart(student, teacher) / targets, "It looks as if the logits were not divided by T."),
        (hard, labels),
        (hard + loss, labels),
        (0.5 * (hard + loss), labels),
        (-loss, "It looks as if the sign is wrong: a divergence is never below zero."),
        (loss / math.log(2), "It looks as if the logarithm is to base 2: use the natural one."),
        (t * t * (student - teacher).double()[:, :-1].square().mean().item(),
         f"It looks as if the logits themselves were compared, by squares. Compare guesses, {SOFT}"),
        ((student - teacher).double()[:, :-1].square().mean().item(),
         f"It looks as if the logits themselves were compared, by squares. Compare guesses, {SOFT}"),
    ]  # fmt: skip
