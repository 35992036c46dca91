"""The ask of recover: on a pruned model; the answer holds the losses and all weights afterwards."""

from collections.abc import Callable
from typing import Annotated

import torch
from msgspec import Meta

from labsupport.check.ask import recipes
from labsupport.check.ask.answer import NAMES, Answer, Name
from labsupport.check.ask.call import attempt, fields
from labsupport.check.ask.left_behind import watched
from labsupport.check.ask.pruned import dense_weights
from labsupport.linears import pruned_linears


class Recovered(Answer, frozen=True):
    """Losses, and all dense weights afterwards by name; no weights if the function raised an error."""

    weights: Annotated[dict[Name, torch.Tensor], Meta(max_length=NAMES)]


def built(inputs: dict):
    """The pruned model of a case: half of every row is zero, or half of the second block is removed."""
    model = recipes.model(inputs["model"])
    if inputs["pruned"] == "sliced":
        from labsupport.given.blocks import prune_blocks

        prune_blocks(model, 0.5, range(1, 2), "l1")
        return model
    with torch.no_grad():
        for linear in pruned_linears(model).values():
            size = linear.weight.abs()
            linear.weight.mul_(size > size.median(dim=1, keepdim=True).values)
    return model


def texts(inputs: dict) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Four training batches [4, 32] and evaluation windows [4, 32], all a cycle of eight tokens."""
    order, starts = inputs["text"]["order"], inputs["text"]["starts"]
    windows = torch.tensor([[order[(start + place) % len(order)] for place in range(32)] for start in starts])
    return list(windows[:16].view(4, 4, 32)), windows[16:]


def ask(function: Callable, inputs: dict) -> Recovered:
    """Call the function on a fresh model; answer with the losses and all weights afterwards."""
    model, (batches, _) = built(inputs), texts(inputs)
    changes = watched(batches=batches)
    found = attempt(lambda: function(model, batches, inputs["steps"], inputs["learning_rate"]))
    weights = {} if found.error else dense_weights(model)
    return Recovered(**fields(found, changes()), weights=weights)
