"""What is left of a pruned model, and what should be: lab 05's prune_blocks is asked and judged by it.

The student's side sends fingerprints: 64 bits of SHA-256 for every row of q, k, v, gate and up and every
column of o and down. The judge looks them up in the dense model that it builds for itself, and scores,
slices and measures that one.
"""

import functools
import hashlib
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from labsupport import widths
from labsupport.check import owners, recipes, remember
from labsupport.check.pruning import digest
from labsupport.check.slicing import ATTENTION_NAMES, AXIS, MLP_NAMES
from labsupport.linears import pruned_linears
from labsupport.planning import plan_widths

SLACK = 1e-4  # of a score: gradients added up in another order differ in their last bits
Places = dict[str, list[int]]  # weight -> which rows or columns of the dense one it holds; -1 for neither


def layers_of(inputs: dict, model) -> range:
    """The layers of a case: [first, end], or "middle", all but the first and the last two in fifteen."""
    if inputs["layers"] == "middle":
        depth = len(model.model.layers)
        return range(depth * 2 // 15, depth - depth * 2 // 15)
    return range(*inputs["layers"])


def windows_of(inputs: dict, what: str) -> torch.Tensor:
    """The token windows of a case: "batches" or "evaluation", as many of them as it asks for."""
    return recipes.windows(inputs[what])[: inputs.get("windows", {}).get(what)]


def batches_of(inputs: dict) -> list[torch.Tensor]:
    """The calibration windows of a case as batches of one."""
    return list(windows_of(inputs, "batches")[:, None])


def linears_of(model, index: int) -> dict[str, nn.Linear]:
    """The seven Linears of a layer by the first part of their name: q, k, v, o, gate, up and down."""
    modules = model.model.layers[index].named_modules()
    return {
        name.split(".")[-1].removesuffix("_proj"): module
        for name, module in modules
        if isinstance(module, nn.Linear)
    }


def fingerprints(model, layers: range) -> dict[str, dict]:
    """Layer -> weight -> its shape, and the fingerprints of its rows, or columns for o and down."""
    return {
        str(index): {
            name: {"shape": list(linear.weight.shape), "prints": _prints(linear.weight, AXIS[name])}
            for name, linear in linears_of(model, index).items()
        }
        for index in layers
    }


def _prints(weight: torch.Tensor, axis: int) -> torch.Tensor:
    slices = weight.detach().movedim(axis, 0).cpu() + 0.0  # -0.0 is 0.0 in a product
    lines = slices.contiguous().view(torch.uint8).numpy()
    bits = b"".join(hashlib.sha256(line).digest()[:8] for line in lines)
    return torch.from_numpy(np.frombuffer(bits, dtype=np.int64).copy())


def others(model, layers: range) -> dict[str, str]:
    """Digests of every weight that pruning these layers leaves alone."""
    pruned = {f"{name}.weight" for name in pruned_linears(model) if int(name.split(".")[2]) in layers}
    return {name: digest(weight) for name, weight in model.named_parameters() if name not in pruned}


def gradients(inputs: dict, batches: list[torch.Tensor], model=None) -> dict[int, dict[str, torch.Tensor]]:
    """The judge's gradients, layer -> weight: of the mean loss of each batch, added up."""
    model = model or recipes.model(inputs["model"])
    layers = layers_of(inputs, model)
    weights = {
        i: {n: each.weight.requires_grad_() for n, each in linears_of(model, i).items()} for i in layers
    }
    with torch.enable_grad():
        for batch in batches:
            batch = batch.to(model.device)
            logits = model(batch, use_cache=False).logits[:, :-1].flatten(0, 1)
            functional.cross_entropy(logits.float(), batch[:, 1:].flatten()).backward()
    return {i: {name: weight.grad for name, weight in named.items()} for i, named in weights.items()}


@torch.no_grad()
def sliced(inputs: dict, kept: dict[int, Places]):
    """The dense model with these rows and columns alone, layer by layer."""
    model = recipes.model(inputs["model"])
    for index, places in kept.items():
        for name, linear in linears_of(model, index).items():
            chosen = torch.tensor(places[name], device=linear.weight.device)
            widths.replace(linear, linear.weight.index_select(AXIS[name], chosen))
    widths.note(model)
    return model


def looked_up(mine: dict, dense: dict) -> Places:
    """Where the fingerprints of one layer stand in the dense one; equal ones are taken in their order."""
    places = {}
    for name in dense:
        spots: dict[int, list[int]] = {}
        for place, value in enumerate(dense[name]["prints"].tolist()):
            spots.setdefault(value, []).append(place)
        free = {value: iter(those) for value, those in spots.items()}
        places[name] = [next(free.get(value, iter(())), -1) for value in mine[name]["prints"].tolist()]
    return places


class Remains:
    """One answer beside the judge's own dense model; each thing is worked out once, when first wanted."""

    def __init__(self, inputs: dict, prints: dict):
        self.inputs, self.prints, self.criterion = inputs, prints, inputs["criterion"]

    @functools.cached_property
    def dense(self):
        return recipes.model(self.inputs["model"])

    @functools.cached_property
    def layers(self) -> range:
        return layers_of(self.inputs, self.dense)

    @functools.cached_property
    def before(self) -> list[widths.Widths]:
        return widths.of_model(self.dense)

    @functools.cached_property
    def planned(self) -> list[widths.Widths]:
        return plan_widths(self.before, self.dense.config.head_dim, self.inputs["ratio"], self.layers)[0]

    @functools.cached_property
    def dense_prints(self) -> dict[str, dict]:
        return fingerprints(self.dense, self.layers)

    @functools.cached_property
    def kept(self) -> dict[int, Places]:
        return {i: looked_up(self.prints[str(i)], self.dense_prints[str(i)]) for i in self.layers}

    @functools.cached_property
    def grads(self) -> dict[int, dict[str, torch.Tensor]]:
        return gradients(self.inputs, batches_of(self.inputs)) if self.criterion == "taylor" else {}

    @functools.cached_property
    def model(self):
        return sliced(self.inputs, self.kept)

    def groups(self, index: int) -> list[int]:
        """The key-value heads of a layer that are left, read off k."""
        head_dim = self.dense.config.head_dim
        return [place // head_dim for place in self.kept[index]["k"][::head_dim]]

    def remembered(self, what: str, compute: Callable[[], float]) -> float:
        """A number that depends on the case and on what was kept alone."""
        masks = {}
        for index, places in self.kept.items():
            for name in ("gate", "k"):
                masks[f"{index}.{name}"] = _mask(
                    places[name], len(self.dense_prints[str(index)][name]["prints"])
                )
        return remember.number(what, self.inputs, masks, compute)

    def scores(self, index: int, block: str, criterion: str, grads=None, turns: str = "") -> torch.Tensor:
        """The judge's scores of the channels or groups of a layer; turns as in owners.group_owners."""
        before, config = self.before[index], self.dense.config
        if block == "mlp":
            names, count = MLP_NAMES, before.channels
            whose = owners.channel_owners(config.hidden_size, count)
        else:
            names, count = ATTENTION_NAMES, before.kv_heads
            whose = owners.group_owners(before.heads, count, config.head_dim, turns)
        linears = linears_of(self.dense, index)
        weights = [linears[name].weight.detach() for name in names]
        return owners.scores(
            weights, whose, count, criterion, [grads[name] for name in names] if grads else None
        )

    def ends(self, index: int, block: str, *how) -> tuple[float, float]:
        """The lowest score of what a block kept and the highest of what it lost; `how` as in scores."""
        scores = self.scores(index, block, *how)
        mask = _mask(self.kept[index]["gate"] if block == "mlp" else self.groups(index), len(scores))
        return float(scores[mask].min()), float(scores[~mask].max()) if bool((~mask).any()) else 0.0

    def ranked(self, index: int, block: str, *how) -> bool:
        """Whether a block kept the structures with the highest scores, up to rounding and ties."""
        lowest, highest = self.ends(index, block, *how)
        return lowest >= highest * (1 - SLACK)


def _mask(kept: list[int], count: int) -> torch.Tensor:
    mask = torch.zeros(count, dtype=torch.bool)
    mask[kept] = True
    return mask
