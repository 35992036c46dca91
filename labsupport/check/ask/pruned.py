"""How a function that prunes a whole model is asked: labs 02 and 04.

The student's side sends masks, digests of every weight and a perplexity; the judge believes none of it.
"""

import hashlib
from collections.abc import Callable
from typing import Annotated, Any

import torch
from msgspec import Meta

from labsupport.check.ask import recipes
from labsupport.check.ask.answer import NAMES, Answer, Attempt, Name
from labsupport.check.ask.call import attempt, fields


class Pruned(Answer, frozen=True):
    """The masks, and what became of the model. digests: SHA-256 of every weight, by name.

    measured: its perplexity, or the error of a model that does not run any more; None after an error.
    """

    digests: Annotated[dict[Name, Name], Meta(max_length=NAMES)]
    measured: Attempt | None


def ask(function: Callable, inputs: dict) -> Pruned:
    """Prune a fresh model; answer with the masks and with what became of the model."""
    from labsupport.given import perplexity

    model = recipes.model(inputs["model"])
    arguments: list[Any] = [model]
    if "batches" in inputs:
        arguments.append(recipes.batches(inputs["batches"]))
    found = attempt(lambda: function(*arguments, inputs["sparsity"]))
    if found.error:
        return Pruned(**fields(found), digests={}, measured=None)
    evaluation = recipes.windows(inputs["evaluation"])  # [n, L]
    measured = attempt(lambda: perplexity.perplexity(model, evaluation))
    return Pruned(**fields(found), digests=digests(model), measured=measured)


@torch.no_grad()
def digests(model) -> dict[str, str]:
    """SHA-256 of every weight by name; -0.0 counts as 0.0, as it does in a product."""
    return {name: digest(weight) for name, weight in model.named_parameters()}


def digest(weight: torch.Tensor) -> str:
    """SHA-256 of the bytes of one weight of any shape; of one that has none (sparse, meta) its layout."""
    try:
        flat: Any = (weight.detach().cpu() + 0.0).contiguous().view(-1).view(torch.uint8).numpy()
    except (RuntimeError, TypeError, ValueError):
        return f"{weight.layout}, {weight.dtype}, on {weight.device.type}"
    return hashlib.sha256(flat).hexdigest()
