"""What is left of a pruned model, and what should be left: what prune_blocks is judged by.

The judge looks the fingerprints of an answer up in the dense model that it builds for itself, and scores,
slices and measures that one.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from labsupport import widths
from labsupport.check.ask import recipes
from labsupport.check.ask.fingerprints import AXIS, fingerprints, linears_of
from labsupport.check.ask.own.prune_blocks import Prints, batches_of, layers_of
from labsupport.check.judge.kit import memo
from labsupport.check.judge.kit.owners import Coupled, channel_owners, group_owners
from labsupport.check.judge.kit.slices import ATTENTION_NAMES, MLP_NAMES, Places
from labsupport.planning import plan_widths

SLACK = 1e-4  # of a score: gradients added up in another order differ in their last bits
NAMES = MLP_NAMES + ATTENTION_NAMES
Grads = dict[str, torch.Tensor]  # weight -> gradient [out, in]


def gradients(inputs: dict, batches: list[torch.Tensor], model=None) -> dict[int, Grads]:
    """Gradients by layer of the mean loss of each batch, added up; batches: int64 [B, L] each."""
    model = model or recipes.model(inputs["model"])
    layers = layers_of(inputs, model)
    weights = {
        i: {name: linear.weight.requires_grad_() for name, linear in linears_of(model, i).items()}
        for i in layers
    }
    with torch.enable_grad():
        for batch in batches:
            batch = batch.to(model.device)
            logits = model(batch, use_cache=False).logits[:, :-1].flatten(0, 1)  # [B * (L - 1), V]
            functional.cross_entropy(logits.float(), batch[:, 1:].flatten()).backward()
    grads: Any = {i: {name: weight.grad for name, weight in named.items()} for i, named in weights.items()}
    return grads  # none is None: backward made them


@torch.no_grad()
def sliced(inputs: dict, kept: dict[int, Places]):
    """The dense model with these rows and columns alone, by layer."""
    model = recipes.model(inputs["model"])
    for index, places in kept.items():
        for name, linear in linears_of(model, index).items():
            chosen = torch.tensor(places[name], device=linear.weight.device)  # [slices]
            widths.replace(linear, linear.weight.index_select(AXIS[name], chosen))
    widths.note(model)
    return model


def looked_up(mine: dict[str, Prints], dense: dict[str, Prints]) -> Places:
    """Where the fingerprints of one layer stand in the dense one; equal ones are taken in their order."""
    places = {}
    for name, weight in dense.items():
        spots: dict[int, list[int]] = {}
        for place, value in enumerate(weight.prints.tolist()):
            spots.setdefault(value, []).append(place)
        free = {value: iter(those) for value, those in spots.items()}
        places[name] = [next(free.get(value, iter(())), -1) for value in mine[name].prints.tolist()]
    return places


class Remains:
    """One answer beside the judge's own dense model; each thing is computed once, on first use."""

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
        """The widths of every layer that the ratio asks for."""
        head_dim = widths.head_size(self.dense.config)
        return plan_widths(self.before, head_dim, self.inputs["ratio"], self.layers)[0]

    @functools.cached_property
    def dense_prints(self) -> dict[str, dict[str, Prints]]:
        """The fingerprints of the dense layers, by layer and weight."""
        found = fingerprints(self.dense, self.layers)
        return {i: {name: Prints(**each) for name, each in layer.items()} for i, layer in found.items()}

    def layer(self, index: int) -> dict[str, Prints]:
        """The seven weights that the answer has for a layer, or those of them that are there."""
        layer = self.prints.get(str(index), {})
        return {name: layer[name] for name in NAMES if name in layer}

    @functools.cached_property
    def consistent(self) -> bool:
        """Whether every weight has as many fingerprints as its shape says."""
        return all(
            weight.prints.dtype is torch.int64 and weight.prints.shape == (weight.shape[AXIS[name]],)
            for index in self.layers
            for name, weight in self.layer(index).items()
        )

    @functools.cached_property
    def comparable(self) -> bool:
        """Whether every weight is there, with no more slices than the dense one has."""
        return self.consistent and all(
            name in self.layer(index) and len(self.layer(index)[name].prints) <= len(weight.prints)
            for index in self.layers
            for name, weight in self.dense_prints[str(index)].items()
        )

    @functools.cached_property
    def kept(self) -> dict[int, Places]:
        """Where the slices that are left stand in the dense model, by layer; for a comparable answer."""
        return {i: looked_up(self.prints[str(i)], self.dense_prints[str(i)]) for i in self.layers}

    @functools.cached_property
    def grads(self) -> dict[int, Grads]:
        """The gradients of the dense model by layer; none where the criterion needs none."""
        return gradients(self.inputs, batches_of(self.inputs)) if self.criterion == "taylor" else {}

    @functools.cached_property
    def model(self):
        """The dense model with the slices that are left."""
        return sliced(self.inputs, self.kept)

    def groups(self, index: int) -> list[int]:
        """The KV heads of a layer that are left, read off k."""
        head_dim = widths.head_size(self.dense.config)
        return [place // head_dim for place in self.kept[index]["k"][::head_dim]]

    def remembered(self, what: str, compute: Callable[[], float]) -> float:
        """A number that depends on the case and on the kept slices alone, through the memo."""
        masks = {
            f"{index}.{name}": _mask(places[name], len(self.dense_prints[str(index)][name].prints))
            for index, places in self.kept.items()
            for name in ("gate", "k")
        }
        return memo.number(what, self.inputs, masks, compute)

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
        """The lowest score of what a block kept and the highest of what it lost; `how` as in scores."""
        scores = self.scores(index, block, *how)  # [count]
        kept = _mask(self.kept[index]["gate"] if block == "mlp" else self.groups(index), len(scores))
        return float(scores[kept].min()), float(scores[~kept].max()) if bool((~kept).any()) else 0.0

    def ranked(self, index: int, block: str, *how) -> bool:
        """Whether a block kept the structures with the highest scores, up to rounding and ties."""
        lowest, highest = self.ends(index, block, *how)
        return lowest >= highest * (1 - SLACK)


def _mask(kept: list[int], count: int) -> torch.Tensor:
    """Bool [count], True where kept."""
    mask = torch.zeros(count, dtype=torch.bool)
    mask[kept] = True
    return mask
