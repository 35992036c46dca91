"""The ask of drop_blocks: on a model of five blocks; the answer describes it before and after a save."""

import tempfile
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import torch
from msgspec import Meta, structs

from labsupport import models
from labsupport.check.ask import recipes
from labsupport.check.ask.answer import NAMES, Attempt, Name
from labsupport.check.ask.call import attempt, fields
from labsupport.check.ask.left_behind import NOTHING, LeftBehind, left_behind, watched
from labsupport.check.ask.pruned import described, digests
from labsupport.widths import KINDS

PROMPT = [5, 9, 70, 33, 12, 200, 41, 7, 150, 88]
FIELDS = (
    "hidden_size", "vocab_size", "num_hidden_layers", "layer_types", "num_attention_heads",
    "num_key_value_heads", "intermediate_size", "tie_word_embeddings",
)  # fmt: skip
SLIDING = {"use_sliding_window": True, "sliding_window": 4}  # of a Qwen2, in some of its blocks


class Dropped(LeftBehind, frozen=True):
    """The model afterwards: digests of its weights, its config, what it writes; None after an error.

    cached, uncached: what it generates with the KV cache, and without.
    """

    digests: Annotated[dict[Name, Name], Meta(max_length=NAMES)]
    config: Annotated[dict[Name, Any], Meta(max_length=len(FIELDS))]
    cached: Attempt | None
    uncached: Attempt | None
    measured: Attempt | None
    reloaded: Attempt | None


def built(recipe: dict):
    """A random model: {"blocks": count, "seed"}; "types" makes it a Qwen2, "sliced" narrows some blocks."""
    sizes = {**models.SHAPES[models.TINY], "num_hidden_layers": recipe["blocks"], "initializer_range": 0.2}
    if "types" in recipe:
        sizes |= {**SLIDING, "layer_types": list(recipe["types"])}
    kind = KINDS["qwen2" if "types" in recipe else "llama"][0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe["seed"])
        model: Any = kind(kind.config_class(**sizes))  # pyright: ignore[reportOptionalCall]
    model.eval().requires_grad_(False)
    if "sliced" in recipe:
        from labsupport.given.blocks import prune_blocks

        prune_blocks(model, 0.5, range(*recipe["sliced"]), "l1")
    return model


def ask(function: Callable, inputs: dict) -> Dropped:
    """Drop blocks of a fresh model; answer with its description before and after saving and reloading."""
    model, evaluation = built(inputs["model"]), recipes.windows(inputs["evaluation"])
    keep = list(inputs["keep"])
    changes = watched(keep=keep)
    found = attempt(lambda: function(model, keep))
    if found.error:
        left = dict.fromkeys(("cached", "uncached", "measured", "reloaded"))
        return Dropped(**fields(found, changes()), **NOTHING, digests={}, config={}, **left)
    answer = Dropped(
        **fields(found, changes()),
        **left_behind(model),
        digests=digests(model),
        config=described(model, FIELDS),
        cached=attempt(lambda: written(model, cache=True)),
        uncached=attempt(lambda: written(model, cache=False)),
        measured=attempt(lambda: measured(model, evaluation)),
        reloaded=None,
    )
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        return structs.replace(answer, reloaded=attempt(lambda: _reloaded(model, folder, evaluation)))


def written(model, cache: bool) -> list[int]:
    """Eight tokens after a fixed prompt, by greedy decoding, with the KV cache or without."""
    prompt = torch.tensor([PROMPT], device=model.device)
    tokens = model.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=8, do_sample=False, use_cache=cache
    )
    return tokens[0].tolist()


def measured(model, evaluation: torch.Tensor) -> float:
    """The perplexity on windows [n, L]."""
    from labsupport.given.perplexity import perplexity

    return perplexity(model, evaluation)


def _reloaded(model, folder: str, evaluation: torch.Tensor) -> float:
    model.save_pretrained(folder)
    return measured(models.load(folder), evaluation)
