"""The remains of a pruned model in an answer to prune_blocks, compared with the expected ones.

The judge builds the dense model, looks up the fingerprints of an answer in it, and computes all scores,
slices and perplexities with its own model.
"""

import functools
from collections.abc import Callable

import torch

from labsupport import widths
from labsupport.check.ask import recipes
from labsupport.check.ask.fingerprints import AXIS, fingerprints, linears_of
from labsupport.check.ask.own.prune_blocks import Prints, batches_of, layers_of
from labsupport.check.judge.kit import memo
from labsupport.check.judge.kit.compare import rounding
from labsupport.check.judge.kit.gradients import Grads, gradients
from labsupport.check.judge.kit.owners import Coupled, channel_owners, group_owners
from labsupport.check.judge.kit.slices import ATTENTION_NAMES, MLP_NAMES, Places
from labsupport.planning import plan_widths

SLACK = 1e-4  # relative, of a score: gradients summed in another order differ in their last bits
NAMES = MLP_NAMES + ATTENTION_NAMES


@torch.no_grad()
def sliced(inputs: dict, kept: dict[int, Places]):
    """The model of a case with only these rows and columns, by layer."""
    model = recipes.model(inputs["model"])
    for index, places in kept.items():
        for name, linear in linears_of(model, index).items():
            chosen = torch.tensor(places[name], device=linear.weight.device)  # [slices]
            widths.replace(linear, linear.weight.index_select(AXIS[name], chosen))
    widths.note(model)
    return model


def looked_up(mine: dict[str, Prints], dense: dict[str, Prints]) -> Places:
    """The places of one layer's fingerprints in the dense layer; equal ones are matched in order."""
    places = {}
    for name, weight in dense.items():
        spots: dict[int, list[int]] = {}
        for place, value in enumerate(weight.prints.tolist()):
            spots.setdefault(value, []).append(place)
        free = {value: iter(those) for value, those in spots.items()}
        places[name] = [next(free.get(value, iter(())), -1) for value in mine[name].prints.tolist()]
    return places


class Remains:
    """One answer and the judge's dense model; each property is computed once, on first use."""

    def __init__(self, inputs: dict, prints: dict[str, dict[str, Prints]]):
        self.inputs, self.prints, self.criterion = inputs, prints, inputs["criterion"]

    @functools.cached_property
    def dense(self):
        """The model of the case, unpruned."""
        return recipes.model(self.inputs["model"])

    @functools.cached_property
    def layers(self) -> range:
        """The layers to prune."""
        return layers_of(self.inputs, self.dense)

    @functools.cached_property
    def before(self) -> list[widths.Widths]:
        """The widths of every layer of the dense model."""
        return widths.of_model(self.dense)

    @functools.cached_property
    def planned(self) -> list[widths.Widths]:
        """The expected widths of every layer, by the ratio."""
        return self.widths_by(self.inputs["ratio"])

    def widths_by(self, ratio: float) -> list[widths.Widths]:
        """The widths of every layer by another ratio."""
        return plan_widths(self.before, widths.head_size(self.dense.config), ratio, self.layers)[0]

    @functools.cached_property
    def dense_prints(self) -> dict[str, dict[str, Prints]]:
        """The fingerprints of the dense layers, by layer and weight."""
        found = fingerprints(self.dense, self.layers)
        return {i: {name: Prints(**each) for name, each in layer.items()} for i, layer in found.items()}

    def layer(self, index: int) -> dict[str, Prints]:
        """The weights of a layer in the answer; some of the seven may be missing."""
        layer = self.prints.get(str(index), {})
        return {name: layer[name] for name in NAMES if name in layer}

    @functools.cached_property
    def consistent(self) -> bool:
        """Whether the number of fingerprints of every weight fits its shape."""
        return all(
            weight.prints.dtype is torch.int64 and weight.prints.shape == (weight.shape[AXIS[name]],)
            for index in self.layers
            for name, weight in self.layer(index).items()
        )

    @functools.cached_property
    def comparable(self) -> bool:
        """Whether every weight is present, with no more slices than the dense weight."""
        return self.consistent and all(
            name in self.layer(index) and len(self.layer(index)[name].prints) <= len(weight.prints)
            for index in self.layers
            for name, weight in self.dense_prints[str(index)].items()
        )

    @functools.cached_property
    def kept(self) -> dict[int, Places]:
        """The places of the kept slices in the dense model, by layer; requires `comparable`."""
        return {i: looked_up(self.prints[str(i)], self.dense_prints[str(i)]) for i in self.layers}

    @functools.cached_property
    def grads(self) -> dict[int, Grads]:
        """The gradients of the dense model by layer; empty if the criterion needs none."""
        if self.criterion != "taylor":
            return {}
        return gradients(self.inputs, batches_of(self.inputs), self.dense)

    @functools.cached_property
    def model(self):
        """The dense model with only the kept slices. The dense one goes: both at a time fill the memory."""
        kept = self.kept
        vars(self).pop("dense", None)  # it is loaded again where it is asked for
        return sliced(self.inputs, kept)

    def groups(self, index: int) -> list[int]:
        """The kept KV heads of a layer, from k_proj."""
        head_dim = widths.head_size(self.dense.config)
        return [place // head_dim for place in self.kept[index]["k"][::head_dim]]

    def remembered(self, what: str, compute: Callable[[], float]) -> float:
        """A number that depends only on the case and the kept slices, through the memo."""
        bits = {
            f"{index}.{name}": torch.tensor(those)
            for index, places in self.kept.items()
            for name, those in places.items()
        }
        return memo.at(memo.key(what, self.inputs, bits), compute)

    def scores(
        self, index: int, block: str, criterion: str, grads: Grads | None = None, turns: str = ""
    ) -> torch.Tensor:
        """The scores of the channels or KV groups of a layer, float64 [count].

        block: "mlp" or "attention"; turns: as `interleaved` in group_owners.
        """
        before, config = self.before[index], self.dense.config
        if block == "mlp":
            names, count = MLP_NAMES, before.channels
            whose = channel_owners(config.hidden_size, count)
        else:
            names, count = ATTENTION_NAMES, before.kv_heads
            whose = group_owners(before.heads, count, widths.head_size(config), turns)
        linears = linears_of(self.dense, index)
        weights = [linears[name].weight.detach() for name in names]
        slopes = [grads[name] for name in names] if grads else None
        return Coupled(weights, whose, count, criterion, slopes).scores()

    def ends(self, index: int, block: str, *how) -> tuple[float, float]:
        """The lowest kept score and the highest removed score of a block; `how` as in scores."""
        scores = self.scores(index, block, *how)  # [count]
        kept = _mask(self.kept[index]["gate"] if block == "mlp" else self.groups(index), len(scores))
        return float(scores[kept].min()), float(scores[~kept].max()) if bool((~kept).any()) else 0.0

    def ranked(self, index: int, block: str, *how) -> bool:
        """Whether a block kept the structures with the highest scores, up to rounding and ties."""
        lowest, highest = self.ends(index, block, *how)
        return lowest >= highest * (1 - rounding(self.inputs, SLACK))


def _mask(kept: list[int], count: int) -> torch.Tensor:
    """Bool [count], True = keep."""
    mask = torch.zeros(count, dtype=torch.bool)
    mask[kept] = True
    return mask
