"""The ask of input_norms: batches that can be read once; the answer includes side effects on the model."""

import gc
import re
from collections.abc import Callable
from typing import Annotated

import torch
from msgspec import Meta

from labsupport.check.ask import card, recipes
from labsupport.check.ask.answer import NAMES, Answer, Name
from labsupport.check.ask.call import attempt, fields
from labsupport.check.ask.left_behind import hooks_on
from labsupport.check.ask.pruned import digests

BREAK = "a made-up error in the middle of calibration"


class Normed(Answer, frozen=True):
    """Norms by layer, and the side effects of the function.

    hooks: number of hooks left on the model, or -1 if the one that was there before is gone; training: the
    model's mode; runs: tokens of every forward pass, with all passes above the limit added up in the last
    entry; alive: bytes of live tensors at the start of the second and the last pass, by its number;
    came_through: whether the function let the error of `fails_at` propagate; stumbled: the text of an error
    about sizes that do not match, else "".
    """

    hooks: int
    training: bool
    runs: Annotated[list[int], Meta(max_length=NAMES)]
    alive: Annotated[dict[Name, int], Meta(max_length=2)]
    came_through: bool
    stumbled: Name


def built(inputs: dict):
    """The model of a case."""
    model = recipes.model(inputs["model"])
    return model.half() if inputs.get("half") else model


def batches_of(inputs: dict) -> list[torch.Tensor]:
    """The batches of a case: one for each random recipe, one for each window of a course text."""
    return [
        batch
        for recipe in inputs["batches"]
        for batch in ([recipes.windows(recipe)] if "random" in recipe else recipes.batches(recipe))
    ]


def ask(function: Callable, inputs: dict) -> Normed:
    """Call the function; answer with the norms and the side effects.

    A wrapper around the embedding counts the tokens of every forward pass; `fails_at` makes that pass raise
    an error, `weighed` measures the live tensors at the start of the second and the last pass.
    """
    model = built(inputs).train(inputs.get("training", False))
    batches = [card.beside(model, batch) for batch in batches_of(inputs)]
    tiny, simple = "tiny" in inputs["model"], inputs.keys().isdisjoint(("fails_at", "weighed"))
    before = {**digests(model), **made(model)} if tiny else {}
    embedding, runs, alive = model.model.embed_tokens, [], {}
    embed = embedding.forward

    def listen(token_ids):
        if len(runs) < NAMES:
            runs.append(token_ids.numel())
        else:
            runs[-1] += token_ids.numel()
        if inputs.get("weighed") and len(runs) in (2, len(batches)):
            alive[str(len(runs))] = living_bytes()
        if len(runs) == inputs.get("fails_at"):
            raise RuntimeError(BREAK)
        return embed(token_ids)

    stays = model.model.norm.register_forward_pre_hook(_another)
    embedding.forward = listen  # pyright: ignore[reportAttributeAccessIssue]  on this instance only
    with card.at_home(model):
        found = attempt(lambda: function(model, (batch for batch in batches)))
    vars(embedding).pop("forward", None)
    stays_on = stays.id in model.model.norm._forward_pre_hooks
    stays.remove()
    told, error = fields(found), found.error
    came_through = error is not None and error.text == BREAK
    stumbled = error.text if error and simple and _sizes_differ(error.text) else ""
    if came_through or stumbled:
        told["error"] = None
    elif not error and tiny:
        after = {**digests(model), **made(model)}
        changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        told["changed"] = [name[:1000] for name in changed[:NAMES]]
    return Normed(
        **told, hooks=hooks_on(model) if stays_on else -1, training=bool(model.training), runs=runs,
        alive=alive, came_through=came_through, stumbled=stumbled,
    )  # fmt: skip


def _another(_module, _inputs) -> None:
    """A hook of somebody else's, which must stay."""


def made(model) -> dict[str, str]:
    """The class and the forward of every module by name: of a layer, or of what stands in its place."""
    return {
        name: f"{type(module).__name__} {vars(module).get('forward')}"
        for name, module in model.named_modules()
        if name
    }


def _sizes_differ(text: str) -> bool:
    """Whether the text is torch's error for two tensors with sizes that do not match."""
    return re.match("The size of tensor a .* must match", text) is not None


def living_bytes() -> int:
    """Bytes of all live tensors; shared memory counts once."""
    gc.collect()
    kinds = (torch.Tensor, torch.nn.Parameter)
    tensors = [item for item in gc.get_objects() if type(item) in kinds and not item.is_meta]
    storages = [tensor.untyped_storage() for tensor in tensors if tensor.layout is torch.strided]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
