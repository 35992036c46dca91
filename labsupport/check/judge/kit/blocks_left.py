"""The blocks that are left of a model, by the digests of its weights, and the mistakes that they show."""

from collections.abc import Iterator

from labsupport.check.ask.answer import Attempt
from labsupport.check.ask.own.drop_blocks import Dropped, built
from labsupport.check.ask.pruned import digests
from labsupport.check.judge.kit.causes import Cause, Named, see

NUMBER = see("10.2", "A block knows its number")
CONFIG = see("10.2", "What the config must say")


def blocks(weights: dict[str, str]) -> list[int]:
    """The numbers of the blocks among the names of weights, sorted."""
    numbers = {name.split(".")[2] for name in weights if name.startswith("model.layers.")}
    return sorted(int(number) for number in numbers if number.isdecimal())


def cause(inputs: dict, answer: Dropped) -> Iterator[Named]:
    """The mistake that a wrong model shows: first its blocks, then their numbers, then the config."""
    keep, count = inputs["keep"], inputs["model"]["blocks"]
    dense, mine = digests(built(inputs["model"])), answer.digests
    others = [index for index in range(count) if index not in keep]
    origin = origins(mine, dense)
    if len(keep) < count and dense.items() <= mine.items():
        yield (
            "It looks as if the model stayed as it came: perhaps a copy was changed. Its own list of blocks "
            "must get shorter: model.model.layers."
        )
    elif blocks(mine) == keep != list(range(len(keep))):
        text = (
            "It looks as if other modules stand where blocks were, such as Identity. The model then counts "
            "as many blocks as before: make a shorter ModuleList of those that stay."
        )
        yield Cause(text, "modules in place of dropped blocks")
    elif len(blocks(mine)) == count > len(keep):
        yield (
            "It looks as if the others still stand there, with other weights. Zeros take as much memory and "
            "time as any number: take the block itself out."
        )
    elif origin == others != keep:
        yield "It looks as if the blocks of `keep` were dropped: it names those that stay."
    elif origin == list(range(len(keep))) != keep:
        yield "It looks as if the first blocks stayed. `keep` holds the numbers of those that stay."
    elif origin == shifting(count, others) != keep:
        yield (
            "It looks as if blocks were deleted one after the other from the front. Each deletion moves the "
            "later ones up: delete from the back, or list those that stay."
        )
    elif sorted(origin) == keep != origin:
        yield "It looks as if the blocks changed places: they stay in the order of `keep`."
    elif origin == keep:
        yield from unnoted(inputs, answer)


def unnoted(inputs: dict, answer: Dropped) -> Iterator[Named]:
    """What was forgotten where the right blocks stayed: the config, the list of types, their numbers."""
    keep, count = inputs["keep"], inputs["model"]["blocks"]
    if answer.config.get("num_hidden_layers") == count != len(keep):
        yield (
            "It looks as if the config still says how many blocks there were: from it a saved model is built "
            f"again, with random blocks at the end, {CONFIG}"
        )
    elif "types" in inputs["model"] and answer.config.get("layer_types") != [
        inputs["model"]["types"][index] for index in keep
    ]:
        if answer.config.get("layer_types") == list(inputs["model"]["types"]):
            yield f"It looks as if layer_types of the config still lists all blocks, {CONFIG}"
        yield (
            "It looks as if layer_types of the config is not the list of the blocks that stay: their own "
            f"entries are wanted, in the order of `keep`, {CONFIG}"
        )
    elif "sliced" in inputs["model"] and "by its config" in _said(answer.reloaded):
        yield (
            "It looks as if layer_widths of the config is not the list of the blocks that stay: their own "
            f"entries are wanted, in the order of `keep`, {CONFIG}"
        )
    elif "layer_widths" in _said(answer.reloaded):
        yield f"It looks as if layer_widths of the config still lists all blocks, {CONFIG}"
    elif answer.cached != answer.uncached:
        yield (
            "It looks as if the blocks keep their old numbers, or begin with 1: by layer_idx each finds its "
            f"place in the KV cache, which has as many places as blocks, {NUMBER}\n"
            "Try [layer.self_attn.layer_idx for layer in model.model.layers]."
        )


def _said(tried: Attempt | None) -> str:
    """The text of an error, "" without one."""
    return tried.error.text if tried and tried.error else ""


def origins(mine: dict[str, str], dense: dict[str, str]) -> list[int]:
    """The number that each block of an answer has in the dense model, by one of its weights; -1 for none."""
    name = "model.layers.{}.self_attn.q_proj.weight".format
    found = {dense[name(index)]: index for index in blocks(dense)}
    return [found.get(mine.get(name(place), ""), -1) for place in blocks(mine)]


def shifting(count: int, others: list[int]) -> list[int]:
    """The blocks that stay where `del layers[index]` is called for the others, the lowest first."""
    left = list(range(count))
    for index in others:
        del left[index : index + 1]
    return left
