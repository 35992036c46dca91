"""Which mistake an answer to prune_blocks shows, on a tiny model: by what it left, and the ranks of that."""

from collections.abc import Iterator

import torch
from transformers import LlamaConfig

from labsupport import widths
from labsupport.check.lab04 import first
from labsupport.check.remains import Remains, batches_of, gradients, others, sliced
from labsupport.check.slicing import ATTENTION_NAMES, MLP_NAMES

WHOLE = 'see section 5.6, "In place".'
ORDER = 'see section 5.6, "Scores first".'
SERVED = 'see section 5.3, "Who serves whom".'


@first
def cause(inputs: dict, answer: dict) -> Iterator[str]:
    if "tiny" not in inputs["model"]:
        return
    left = answer["left"]["value"]
    remains = Remains(inputs, left["prints"])
    yield from _not_smaller(remains)
    yield from _wrong_layers(remains, left["digests"])
    if not any(-1 in found for places in remains.kept.values() for found in places.values()):
        yield from _wrong_ranks(remains)
    described = widths.of_config(LlamaConfig(**left["config"]))
    if described == remains.before != remains.planned:
        yield (
            "It looks as if the config still describes the dense model, so what is saved cannot be loaded, "
            f"{WHOLE}\nTry widths.of_config(model.config) beside widths.of_model(model)."
        )


def _unchanged(remains: Remains, index: str) -> bool:
    mine, dense = remains.prints[index], remains.dense_prints[index]
    return all(torch.equal(mine[name]["prints"], dense[name]["prints"]) for name in dense)


def _not_smaller(remains: Remains) -> Iterator[str]:
    """What stayed as large as it was: all of it, as zeros or as it came, or one of the two blocks."""
    indices = [str(index) for index in remains.layers]

    def large(names) -> bool:
        mine, dense = remains.prints, remains.dense_prints
        return all(mine[i][name]["shape"] == dense[i][name]["shape"] for i in indices for name in names)

    if remains.planned == remains.before:
        return
    if all(_unchanged(remains, index) for index in indices):
        yield (
            "It looks as if the model stayed as it came: perhaps a copy was pruned. Its own Linears must get "
            f"the smaller weights, {WHOLE}"
        )
    elif large(MLP_NAMES + ATTENTION_NAMES):
        yield (
            "It looks as if the others were set to zero. A masked model computes the same, but it is as "
            f"large as before: replace the weights by their slices, {WHOLE}"
        )
    elif _unchanged(remains, indices[-1]):
        yield (
            f"It looks as if the last layer of the range was left out. {remains.layers} ends before its last "
            "number by itself: go through it as it is."
        )
    pairs = [(remains.before[index], remains.planned[index]) for index in remains.layers]
    if large(MLP_NAMES) and any(old.channels != new.channels for old, new in pairs):
        yield f"It looks as if the MLP was left as it is: MLP and attention both shrink, {WHOLE}"
    if large(ATTENTION_NAMES) and any(old.kv_heads != new.kv_heads for old, new in pairs):
        yield f"It looks as if attention was left as it is: MLP and attention both shrink, {WHOLE}"


def _wrong_layers(remains: Remains, digests: dict[str, str]) -> Iterator[str]:
    dense = others(remains.dense, remains.layers)
    changed = [name for name, value in dense.items() if digests.get(name) != value]
    if linears := [name for name in changed if name.endswith("_proj.weight")]:
        yield (
            f"It looks as if layers outside {remains.layers} were pruned: {linears[0]} changed. "
            f"Go through the range, and through nothing else, {WHOLE}"
        )


def _wrong_ranks(remains: Remains) -> Iterator[str]:
    """By which other scores the kept ones are the best, if not by those asked for."""
    criterion = remains.criterion
    blocks = [(index, block) for index in remains.layers for block in ("mlp", "attention")]

    def best_by(one: str, grads: dict, turns: str = "") -> bool:
        return all(remains.ranked(i, block, one, grads.get(i), turns) for i, block in blocks)

    if criterion == "random" or best_by(criterion, remains.grads):
        return
    if all(_worst(remains, index, block) for index, block in blocks):
        yield f"It looks as if the most important were removed and the least important kept, {ORDER}"
    if any(best_by(criterion, remains.grads, turns) for turns in ("qo", "q", "o")):
        yield (
            "It looks as if key-value heads were scored with query heads that others serve. Heads 0, 1, 2, "
            f"... are served in this order; the published tool slips here too, {SERVED}"
        )
    for other in ("l1", "l2"):
        if other != criterion and best_by(other, {}):
            yield f'It looks as if "{other}" was used where "{criterion}" was asked for: pass `criterion` on.'
    if criterion == "taylor":
        texts = batches_of(remains.inputs)
        for place, some in (("last", texts[-1:]), ("first", texts[:1])):
            if best_by("taylor", gradients(remains.inputs, some)):
                yield f"It looks as if the {place} batch alone made the gradients: all add up, {ORDER}"
        if _in_passing(remains):
            yield (
                "It looks as if the gradients of later layers were taken after earlier layers had been "
                "pruned. All scores are those of the dense model: first all gradients, then the layers, "
                f"{ORDER}"
            )


def _worst(remains: Remains, index: int, block: str) -> bool:
    """Whether a block kept those with the lowest scores."""
    scores = remains.scores(index, block, remains.criterion, remains.grads.get(index))
    kept = remains.kept[index]["gate"] if block == "mlp" else remains.groups(index)
    return sorted(kept) == sorted(scores.argsort()[: len(kept)].tolist())


def _in_passing(remains: Remains) -> bool:
    """Whether each layer follows from gradients of a model whose earlier layers are pruned already."""

    def follows(index: int) -> bool:
        earlier = {other: remains.kept[other] for other in remains.layers if other < index}
        grads = gradients(remains.inputs, batches_of(remains.inputs), sliced(remains.inputs, earlier))
        return remains.ranked(index, "mlp", "taylor", grads[index])

    return all(map(follows, remains.layers))
