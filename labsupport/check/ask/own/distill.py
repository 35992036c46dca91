"""The ask of distill: a sliced student beside its dense teacher; the answer holds losses and all weights."""

from collections.abc import Callable
from typing import Annotated

import torch
from msgspec import Meta

from labsupport.check.ask import recipes
from labsupport.check.ask.answer import NAMES, Answer, Name
from labsupport.check.ask.call import attempt, fields
from labsupport.check.ask.left_behind import watched
from labsupport.check.ask.own.recover import built, texts
from labsupport.check.ask.pruned import dense_weights, digests

__all__ = ["Taught", "ask", "built", "texts"]


class Taught(Answer, frozen=True):
    """Losses, the student's dense weights by name, and the digests of the teacher's; none after an error.

    left: the teacher's weights that have a gradient afterwards.
    """

    weights: Annotated[dict[Name, torch.Tensor], Meta(max_length=NAMES)]
    teacher: Annotated[dict[Name, Name], Meta(max_length=NAMES)]
    left: int


def ask(function: Callable, inputs: dict) -> Taught:
    """Call the function on a fresh student and a fresh teacher whose weights want gradients."""
    student, (batches, _) = built(inputs), texts(inputs)
    teacher = recipes.model(inputs["model"]).requires_grad_(True)
    changes = watched(batches=batches)
    found = attempt(lambda: function(student, teacher, batches, inputs["steps"], inputs["learning_rate"]))
    if found.error:
        return Taught(**fields(found, changes()), weights={}, teacher={}, left=0)
    return Taught(
        **fields(found, changes()),
        weights=dense_weights(student),
        teacher=digests(teacher),
        left=sum(weight.grad is not None for weight in teacher.parameters()),
    )
