"""The ask of prune_sparsegpt: on a fresh model; the answer holds the masks and every weight afterwards."""

from collections.abc import Callable
from typing import Annotated, Any

import torch
from msgspec import Meta

from labsupport.check.ask import recipes
from labsupport.check.ask.answer import NAMES, Answer, Name
from labsupport.check.ask.call import attempt, fields
from labsupport.check.ask.own.input_norms import hooks_on
from labsupport.check.ask.pruned import dense_weights


class Solved(Answer, frozen=True):
    """The masks by layer; all weights afterwards by name, none after an error; hooks that are left."""

    weights: Annotated[dict[Name, torch.Tensor], Meta(max_length=NAMES)]
    hooks: int


def ask(function: Callable, inputs: dict) -> Solved:
    """Prune a fresh model; answer with the masks and the weights."""
    model = recipes.model(inputs["model"])
    more: list[Any] = [inputs["pattern"]] if "pattern" in inputs else []
    batches = recipes.batches(inputs["batches"])
    found = attempt(lambda: function(model, batches, inputs["sparsity"], *more))
    weights = {} if found.error else dense_weights(model)
    return Solved(**fields(found), weights=weights, hooks=hooks_on(model))
