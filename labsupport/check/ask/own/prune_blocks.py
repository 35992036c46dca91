"""The ask of prune_blocks: on a fresh model; the answer describes it before and after a save."""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
from msgspec import Meta, structs

from labsupport import models
from labsupport.check.ask import card, recipes
from labsupport.check.ask.answer import NAMES, Attempt, Failure, Message, Name
from labsupport.check.ask.call import attempt, fields
from labsupport.check.ask.fingerprints import fingerprints, others
from labsupport.check.ask.left_behind import NOTHING, LeftBehind, left_behind, watched
from labsupport.check.ask.pruned import described
from labsupport.memory import give_back

PROMPT = [5, 9, 70, 33]
FIELDS = (
    "hidden_size", "head_dim", "num_hidden_layers", "vocab_size", "num_attention_heads",
    "num_key_value_heads", "intermediate_size", "layer_widths",
)  # fmt: skip
Size = Annotated[int, Meta(ge=0, le=2**31)]


class Prints(Message, frozen=True):
    """One pruned weight: its shape, and the fingerprints of its rows or columns, int64 [slices]."""

    shape: Annotated[list[Size], Meta(min_length=2, max_length=2)]
    prints: torch.Tensor


class Left(Message, frozen=True):
    """The pruned model: fingerprints by layer and weight, digests of the other weights, the config."""

    prints: Annotated[dict[Name, Annotated[dict[Name, Prints], Meta(max_length=20)]], Meta(max_length=NAMES)]
    digests: Annotated[dict[Name, Name], Meta(max_length=NAMES)]
    config: Annotated[dict[Name, Any], Meta(max_length=len(FIELDS))]


class Looked(Message, frozen=True):
    """An attempt to read the pruned model; `value` is None after an error."""

    value: Left | None
    error: Failure | None


class Blocks(LeftBehind, frozen=True):
    """The effects of prune_blocks; all fields below are None if the function raised an error."""

    left: Looked | None
    generated: Attempt | None
    measured: Attempt | None
    reloaded: Attempt | None


def layers_of(inputs: dict, model) -> range:
    """The layers of a case: [first, end], or "middle", all but the first and the last two in fifteen."""
    if inputs["layers"] == "middle":
        depth = len(model.model.layers)
        return range(depth * 2 // 15, depth - depth * 2 // 15)
    return range(*inputs["layers"])


def windows_of(inputs: dict, what: str) -> torch.Tensor:
    """The token windows of a case: the requested number of "batches" or "evaluation"."""
    return recipes.windows(inputs[what])[: inputs.get("windows", {}).get(what)]


def batches_of(inputs: dict) -> list[torch.Tensor]:
    """The calibration windows of a case as batches of one."""
    return list(windows_of(inputs, "batches")[:, None])


def ask(function: Callable, inputs: dict) -> Blocks:
    """Prune a fresh model; answer with its description before and after saving and reloading."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # a warning that a ratio removes no head is no fault
        answer = _pruned(function, inputs, folder)  # it returns without the model, which is saved
        if answer.error or (answer.reloaded and answer.reloaded.error):
            return answer
        give_back()
        where = ("cpu", torch.float32) if "tiny" in inputs["model"] else ()  # else as the course model
        reloaded = attempt(lambda: _reloaded(folder, windows_of(inputs, "evaluation"), *where))
        return structs.replace(answer, reloaded=reloaded)


def _pruned(function: Callable, inputs: dict, folder: str) -> Blocks:
    """The answer before a reload; `reloaded` is the attempt to save the model in the folder."""
    from labsupport.given.perplexity import perplexity

    model = recipes.model(inputs["model"])
    layers = layers_of(inputs, model)
    arguments = [model, inputs["ratio"], layers, inputs["criterion"]]
    if "batches" in inputs:
        arguments.append([card.beside(model, batch) for batch in batches_of(inputs)])
    changes = watched(batches=arguments[4:])
    with card.at_home(model):
        found = attempt(lambda: function(*arguments))
    told = {**fields(found, changes()), **(NOTHING if found.error else left_behind(model))}
    if found.error:
        return Blocks(**told, left=None, generated=None, measured=None, reloaded=None)
    give_back()  # the gradients, which were as large as the weights
    evaluation = windows_of(inputs, "evaluation")
    return Blocks(
        **told,
        left=_look(model, layers),
        generated=attempt(lambda: generated(model)),
        measured=attempt(lambda: perplexity(model, evaluation)),
        reloaded=attempt(lambda: model.save_pretrained(folder)),
    )


def _look(model, layers: range) -> Looked:
    found: list[Left] = []
    tried = attempt(lambda: found.append(_left(model, layers)))
    return Looked(value=found[0] if found else None, error=tried.error)


def _left(model, layers: range) -> Left:
    return Left(
        prints={
            index: {name: Prints(**each) for name, each in layer.items()}
            for index, layer in fingerprints(model, layers).items()
        },
        digests=others(model, layers),
        config=described(model, FIELDS),
    )


def _reloaded(folder: str, evaluation: torch.Tensor, *where) -> dict:
    from labsupport.given.perplexity import perplexity

    files = sorted(path.name for path in Path(folder).iterdir())
    return {"files": files, "perplexity": perplexity(models.load(folder, *where), evaluation)}


def generated(model) -> list[int]:
    """Eight tokens after a fixed prompt, by greedy decoding."""
    prompt = torch.tensor([PROMPT], device=model.device)
    tokens = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=8, do_sample=False)
    return tokens[0].tolist()
