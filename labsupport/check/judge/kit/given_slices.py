"""What follows for prune_blocks from the student's own importances and slices."""

import torch

from labsupport import structured
from labsupport.check.ask.fingerprints import AXIS, linears_of, prints
from labsupport.check.ask.own.prune_blocks import Prints
from labsupport.check.judge.kit.carried import Earlier, Form, scores
from labsupport.check.judge.kit.compare import Wrong
from labsupport.check.judge.kit.exercise import Part
from labsupport.check.judge.kit.remains import Remains
from labsupport.check.judge.kit.slices import ATTENTION_NAMES, MLP_NAMES, found, named
from labsupport.widths import head_size

Given = dict[int, dict[str, Prints]]  # layer -> weight -> its slices
EARLIER = ("channel_importance", "kv_group_importance", "shrink_mlp", "shrink_attention")


def given_slices(inputs: dict, earlier: Earlier) -> Given:
    """The slices that the student's earlier functions leave of every layer; none for "random"."""
    if inputs["criterion"] == "random":
        return {}
    remains, slices = Remains(inputs, {}), {}
    head_dim = head_size(remains.dense.config)
    for index in remains.layers:
        before, left = remains.before[index], remains.planned[index]
        sizes = {"head_dim": head_dim, "kv_heads": before.kv_heads}
        counts, heads = (before.channels, left.channels), (before.kv_heads, left.kv_heads)
        mlp = _block(remains, earlier, index, MLP_NAMES, EARLIER[0::2], counts, {})
        slices[index] = mlp | _block(remains, earlier, index, ATTENTION_NAMES, EARLIER[1::2], heads, sizes)
    return slices


def _block(
    remains: Remains, earlier: Earlier, index: int, names, functions, counts, sizes
) -> dict[str, Prints]:
    """The slices of one block of a layer.

    names: of its weights; functions: the names of an importance and of its slices; counts: of channels
    or KV heads before and after; sizes: further arguments of both functions.
    """
    importance, shrink = functions
    linears, (count, left) = linears_of(remains.dense, index), counts
    weights = {name: linears[name].weight.detach().cpu() for name in names}  # [out, in] each
    asked = {**weights, **sizes, "criterion": remains.criterion}
    if remains.grads:
        asked["grads"] = tuple(remains.grads[index][name].cpu() for name in names)
    keep = structured.most_important(earlier(importance, scores(count), asked), left)  # [left]
    value = earlier(shrink, slices_of(weights, count, left), {**weights, "keep": keep, **sizes})
    return {
        name: Prints(shape=list(weight.shape), prints=prints(weight, AXIS[name]))
        for name, weight in zip(names, value, strict=True)
    }


def slices_of(weights: dict[str, torch.Tensor], count: int, left: int) -> Form:
    """The form of slices: a tuple of weights of which `left` of `count` equal parts are left, bit for bit."""

    def form(value) -> None:
        matrices = named(tuple(weights), value)
        if not matrices:
            raise Wrong("these are no slices")
        for name, weight in weights.items():
            size = weight.shape[AXIS[name]] // count * left
            if matrices[name].shape[AXIS[name]] != size or -1 in found(matrices[name], weight, AXIS[name]):
                raise Wrong("these are no slices")

    return form


def holds(remains: Remains, given: Given) -> Part:
    """The condition that every layer of an answer holds the given slices."""

    def followed() -> None:
        for index, layer in given.items():
            for name, weight in layer.items():
                if not torch.equal(remains.layer(index)[name].prints, weight.prints):
                    raise Wrong(f"not so in {name}_proj of layer {index}")

    return Part("each layer holds the slices that your earlier functions give", followed)
