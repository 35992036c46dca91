"""The ask of prune_sparsegpt: on a fresh model; the answer holds the masks and every weight afterwards."""

from collections.abc import Callable
from typing import Annotated, Any

import torch
from msgspec import Meta

from labsupport.check.ask import recipes
from labsupport.check.ask.answer import NAMES, Name
from labsupport.check.ask.call import attempt, fields
from labsupport.check.ask.left_behind import LeftBehind, left_behind, watched
from labsupport.check.ask.pruned import dense_weights


class Solved(LeftBehind, frozen=True):
    """The masks by layer; all weights afterwards by name, none after an error."""

    weights: Annotated[dict[Name, torch.Tensor], Meta(max_length=NAMES)]


def ask(function: Callable, inputs: dict) -> Solved:
    """Prune a fresh model; answer with the masks and the weights."""
    model = recipes.model(inputs["model"])
    more: list[Any] = [inputs["pattern"]] if "pattern" in inputs else []
    batches = recipes.batches(inputs["batches"])
    changes = watched(batches=batches)
    found = attempt(lambda: function(model, batches, inputs["sparsity"], *more))
    weights = {} if found.error else dense_weights(model)
    return Solved(**fields(found, changes()), **left_behind(model), weights=weights)
