"""Distillation: a smaller model learns the guesses of a teacher with LoRA, as recovery learns labels.

Hinton et al. 2015, arXiv:1503.02531; Muralidharan et al. 2024 (Minitron), arXiv:2407.14679.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from labsupport.given.lora import Batch, recover
from labsupport.memory import checkpointed

FROM = 10  # lab 10 is given this file, after its own exercises
ANSWERS = ("distill_loss", "distill")
CHUNK = 32  # positions whose logits exist at one time, of either model


def distill_loss(
    student_logits: torch.Tensor, teacher_logits: torch.Tensor, token_ids: torch.Tensor, temperature: float
) -> torch.Tensor:
    """T squared times the mean divergence KL(teacher, student) over all guesses that have a target.

    Logits: [B, L, V]; token_ids: int64 [B, L]. The teacher gets no gradient.
    """
    student, teacher = (each[:, :-1].flatten(0, 1) for each in (student_logits, teacher_logits.detach()))
    return divergence(student, teacher, temperature) / token_ids[:, 1:].numel()


def divergence(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """T squared times KL(teacher, student), summed over guesses: logits [n, V]."""
    mine, wanted = ((logits.float() / temperature).log_softmax(dim=-1) for logits in (student, teacher))
    return temperature**2 * functional.kl_div(mine, wanted, reduction="sum", log_target=True)


def distill(
    student: nn.Module,
    teacher: nn.Module,
    batches: Iterable[Batch],
    steps: int,
    learning_rate: float,
    *,
    temperature: float = 2.0,
    seed: int = 0,
) -> list[float]:
    """Train LoRA matrices in the student to guess as the teacher does, and merge them, in place.

    batches: LongTensors [B, L] of token ids. All else is as in lora.recover: schedule, interrupt, errors,
    zeros that stay zeros. The teacher does not change; it must not share weights with the student.
    """
    slope: Any = partial(backward, teacher=teacher, temperature=temperature)
    return recover(student, batches, steps, learning_rate, seed=seed, slope=slope)


def backward(student: nn.Module, batch: torch.Tensor, teacher: nn.Module, temperature: float) -> float:
    """Accumulate the gradients of a batch [B, L] in the student; the mean loss over all its targets.

    Logits are computed for `CHUNK` positions at a time: those of 256 tokens take 50 MB for either model,
    and as much again for each step of the loss.
    """
    mine: Any = student.model  # attributes of nn.Module are untyped
    its: Any = teacher.model
    head: Any = student.lm_head
    goal: Any = teacher.lm_head
    batch = batch.to(next(student.parameters()).device)
    count, total = batch[:, 1:].numel(), 0.0
    with torch.no_grad():
        wanted = its(batch, use_cache=False).last_hidden_state[:, :-1].flatten(0, 1)  # [targets, hidden]
    with checkpointed(mine.layers):
        hidden = mine(batch, use_cache=False).last_hidden_state[:, :-1].flatten(0, 1)  # [targets, hidden]
        leaf = hidden.detach().requires_grad_()
        for part, target in zip(leaf.split(CHUNK), wanted.split(CHUNK), strict=True):
            with torch.no_grad():
                target = goal(target)  # [chunk, V]
            loss = divergence(head(part), target, temperature) / count
            loss.backward()
            total += loss.item()
        hidden.backward(leaf.grad)
    return total
