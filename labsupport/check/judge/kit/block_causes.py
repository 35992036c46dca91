"""The likely mistake behind a wrongly pruned tiny model, by its slices and their scores."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.fingerprints import others
from labsupport.check.ask.own.prune_blocks import Left, batches_of
from labsupport.check.judge.kit.block_checks import described_widths, read_config
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.gradients import Grads, gradients
from labsupport.check.judge.kit.remains import NAMES, Remains, sliced
from labsupport.check.judge.kit.slices import ATTENTION_NAMES, MLP_NAMES
from labsupport.check.judge.kit.weight_names import replaced

WHOLE = see("5.6", "In place")
ORDER = see("5.6", "Scores first")
SERVED = see("5.3", "Who serves whom")


def causes(inputs: dict, left: Left) -> Iterator[Named]:
    """The mistakes in this order: sizes, layers, scores, config."""
    remains = Remains(inputs, left.prints)
    if not remains.comparable:
        return
    yield from _not_smaller(remains)
    yield from _wrong_layers(remains, left.digests)
    if not any(-1 in found for places in remains.kept.values() for found in places.values()):
        yield from _wrong_scores(remains)
    described = described_widths(read_config(left.config), len(remains.before))
    if described == remains.before != remains.planned:
        yield (
            "It looks as if the config still describes the dense model, so what is saved cannot be loaded, "
            f"{WHOLE}\nTry widths.of_config(model.config) beside widths.of_model(model)."
        )


def _unchanged(remains: Remains, index: int) -> bool:
    mine, dense = remains.layer(index), remains.dense_prints[str(index)]
    return all(torch.equal(mine[name].prints, weight.prints) for name, weight in dense.items())


def _not_smaller(remains: Remains) -> Iterator[Named]:
    """Mistakes of size: nothing shrank (zeros, or unchanged weights), or one of the blocks did not."""

    def large(names: tuple[str, ...]) -> bool:
        return all(
            remains.layer(index)[name].shape == remains.dense_prints[str(index)][name].shape
            for index in remains.layers
            for name in names
        )

    if remains.planned == remains.before:
        return
    if all(_unchanged(remains, index) for index in remains.layers):
        yield (
            "It looks as if the model did not change: perhaps a copy was pruned. The model's own Linears "
            f"must get the smaller weights, {WHOLE}"
        )
    elif large(NAMES):
        yield (
            "It looks as if the removed ones were set to zero. A masked model computes the same, but it is "
            f"as large as before: replace the weights by their slices, {WHOLE}"
        )
    elif _unchanged(remains, remains.layers[-1]):
        text = (
            f"It looks as if the last layer of the range was left out. {remains.layers} ends before its last "
            "number by itself: go through it as it is."
        )
        yield Cause(text, "the last layer of the range left out")
    inverse = remains.widths_by(1 - remains.inputs["ratio"])
    if all(
        remains.layer(index)["gate"].shape[0] == inverse[index].channels != remains.planned[index].channels
        for index in remains.layers
    ):
        text = (
            f"It looks as if the ratio was taken for the share that stays. It is the share that goes: "
            f"of {remains.before[remains.layers[0]].channels} channels "
            f"{remains.planned[remains.layers[0]].channels} stay, {WHOLE}"
        )
        yield Cause(text, "the ratio taken for the share that stays")
        return
    pairs = [(remains.before[index], remains.planned[index]) for index in remains.layers]
    if large(MLP_NAMES) and any(old.channels != new.channels for old, new in pairs):
        yield f"It looks as if the MLP was left as it is: MLP and attention both shrink, {WHOLE}"
    if large(ATTENTION_NAMES) and any(old.kv_heads != new.kv_heads for old, new in pairs):
        yield f"It looks as if attention was left as it is: MLP and attention both shrink, {WHOLE}"


def _wrong_layers(remains: Remains, digests: dict[str, str]) -> Iterator[Named]:
    dense = others(remains.dense, remains.layers)
    changed = [
        name
        for name, value in dense.items()
        if digests.get(name) != value and not replaced(name, digests, value)
    ]
    if linears := [name for name in changed if name.endswith("_proj.weight")]:
        text = (
            f"It looks as if layers outside {remains.layers} were pruned: {linears[0]} changed. "
            f"Go through the range, and through nothing else, {WHOLE}"
        )
        yield Cause(text, "layers outside the range pruned")


def _wrong_scores(remains: Remains) -> Iterator[Named]:
    """Mistakes of the scores: other scores by which the kept structures are the best."""
    criterion = remains.criterion
    blocks = [(index, block) for index in remains.layers for block in ("mlp", "attention")]

    def best_by(one: str, grads: dict[int, Grads], turns: str = "") -> bool:
        return all(remains.ranked(i, block, one, grads.get(i), turns) for i, block in blocks)

    if criterion == "random" or best_by(criterion, remains.grads):
        return
    if all(_worst(remains, index, block) for index, block in blocks):
        yield f"It looks as if the most important were removed and the least important kept, {ORDER}"
    if any(best_by(criterion, remains.grads, turns) for turns in ("qo", "q", "o")):
        yield (
            "It looks as if key-value heads were scored with query heads that others serve. Heads 0, 1, 2, "
            f"... are served in this order; the published tool errs here too, {SERVED}"
        )
    for other in ("l1", "l2"):
        if other != criterion and best_by(other, {}):
            text = (
                f'It looks as if "{other}" was used where "{criterion}" was asked for: pass `criterion` on.'
            )
            yield Cause(text, "another criterion")
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
    """Whether a block kept the structures with the lowest scores."""
    scores = remains.scores(index, block, remains.criterion, remains.grads.get(index))  # [count]
    kept = remains.kept[index]["gate"] if block == "mlp" else remains.groups(index)
    return sorted(kept) == sorted(scores.argsort()[: len(kept)].tolist())


def _in_passing(remains: Remains) -> bool:
    """Whether each layer fits gradients of a model whose earlier layers are already pruned."""

    def follows(index: int) -> bool:
        earlier = {other: remains.kept[other] for other in remains.layers if other < index}
        grads = gradients(remains.inputs, batches_of(remains.inputs), sliced(remains.inputs, earlier))
        return remains.ranked(index, "mlp", "taylor", grads[index])

    return all(map(follows, remains.layers))
