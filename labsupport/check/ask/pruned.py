"""The ask of functions that prune a whole model: labs 02 and 04.

The student's side sends masks, digests of every weight and a perplexity; the judge trusts none of them.
"""

import hashlib
from collections.abc import Callable
from typing import Annotated, Any

import torch
from msgspec import Meta

from labsupport.check.ask import card, recipes, wire
from labsupport.check.ask.answer import NAMES, Attempt, Name
from labsupport.check.ask.call import attempt, fields
from labsupport.check.ask.left_behind import NOTHING, LeftBehind, left_behind, watched


class Pruned(LeftBehind, frozen=True):
    """The masks, and the state of the model afterwards. digests: SHA-256 of every weight, by name.

    measured: its perplexity, or the error of a model that no longer runs; None if the function failed.
    """

    digests: Annotated[dict[Name, Name], Meta(max_length=NAMES)]
    measured: Attempt | None


def ask(function: Callable, inputs: dict) -> Pruned:
    """Prune a fresh model; answer with the masks and the state of the model afterwards."""
    import labsupport.given.perplexity as given

    model = recipes.model(inputs["model"])
    arguments: list[Any] = [model]
    if "batches" in inputs:
        arguments.append([card.beside(model, batch) for batch in recipes.batches(inputs["batches"])])
    changes = watched(batches=arguments[1:])
    with card.at_home(model):
        found = attempt(lambda: function(*arguments, inputs["sparsity"]))
    if found.error:
        return Pruned(**fields(found, changes()), **NOTHING, digests={}, measured=None)
    told = {**fields(found, changes()), **left_behind(model)}  # before the measurement
    evaluation = recipes.windows(inputs["evaluation"])  # [n, L]
    measured = attempt(lambda: given.perplexity(model, evaluation))
    return Pruned(**told, digests=digests(model), measured=measured)


def described(model, fields: tuple[str, ...]) -> dict[str, Any]:
    """The fields of a model's config that it has; none if the config is gone."""
    config = model.config.to_dict() if model.config is not None else {}
    return {name: config[name] for name in fields if name in config}


@torch.no_grad()
def digests(model) -> dict[str, str]:
    """The digest of every weight by name, a shared one under all of its names."""
    return {name: digest(weight) for name, weight in model.named_parameters(remove_duplicate=False)}


def dense_weights(model) -> dict[str, torch.Tensor]:
    """The parameters that can be sent, by name, as plain tensors; a shared one under all of its names."""
    named = {name: wire.bare(weight) for name, weight in model.named_parameters(remove_duplicate=False)}
    return {name: weight for name, weight in named.items() if isinstance(weight, torch.Tensor)}


def digest(weight: torch.Tensor) -> str:
    """SHA-256 of one weight, its type and its shape; its layout if it has no bytes (sparse, meta).

    -0.0 counts as 0.0, as it does in a product.
    """
    try:
        flat: Any = (weight.detach().cpu() + 0.0).contiguous().view(-1).view(torch.uint8).numpy()
    except (RuntimeError, TypeError, ValueError):
        return f"{weight.layout}, {weight.dtype}, on {weight.device.type}"
    return f"{hashlib.sha256(flat).hexdigest()} {form(weight)}"


def form(weight: torch.Tensor) -> str:
    """Type and shape of a weight: "torch.float32 of (48, 48)"."""
    return f"{weight.dtype} of {tuple(weight.shape)}"
