"""Multiply-accumulates of a model, from shapes alone and by torch's counter."""

from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import PretrainedConfig, PreTrainedModel

from labsupport import widths
from labsupport.table import ranges
from labsupport.widths import KINDS, Widths

FROM = 5  # labs 05 and 08 are given this file, after their own exercises
ANSWERS = ("count_parameters", "linear_macs", "attention_macs")


def linear_macs(model: nn.Module, tokens: int) -> int:
    """Multiply-accumulates of all Linear layers of a model, lm_head included, for `tokens` tokens."""
    linears = (module for module in model.modules() if isinstance(module, nn.Linear))
    return tokens * sum(linear.in_features * linear.out_features for linear in linears)


@dataclass(frozen=True)
class Line:
    """One module, or several decoder layers of equal shapes: the counts of each of them."""

    name: str
    depth: int  # of the indentation
    parameters: int
    macs: int
    shape: str  # of a Linear's weight, else empty


def by_layer(model: nn.Module, tokens: int, name: str = "", depth: int = 0) -> list[Line]:
    """Parameters and MACs of every module with weights, as the report lists them.

    The first line is the model itself. Neighbouring layers of equal shapes share their lines. A weight that
    two modules share stands at both, and counts once in the line of a module that holds both.
    """
    if isinstance(model, nn.ModuleList):
        return _runs([by_layer(layer, tokens, "", depth) for layer in model], name)
    parameters = sum(weight.numel() for weight in model.parameters())
    if not parameters:
        return []
    shape = f"{model.out_features} x {model.in_features}" if isinstance(model, nn.Linear) else ""
    own = Line(name or type(model).__name__, depth, parameters, linear_macs(model, tokens), shape)
    parts = (by_layer(child, tokens, title, depth + 1) for title, child in model.named_children())
    return [own, *(line for lines in parts for line in lines)]


def _runs(layers: list[list[Line]], name: str) -> list[Line]:
    """The lines of a list of layers; neighbours with equal lines are shown once, by their numbers."""
    lines, start = [], 0
    for end in range(1, len(layers) + 1):
        if end == len(layers) or layers[end] != layers[start]:
            numbers = ranges([str(number) for number in range(start, end)])
            first, *rest = layers[start]
            lines += [replace(first, name=f"{name}.{numbers}"), *rest]
            start = end
    return lines


def model_macs(what: nn.Module | PretrainedConfig, tokens: int) -> int:
    """MACs of all Linear layers of a model or a config for `tokens` tokens, lm_head included."""
    model = what if isinstance(what, nn.Module) else skeleton(what, widths.of_config(what))
    return linear_macs(model, tokens)


def attention_macs(what: PreTrainedModel | PretrainedConfig, tokens: int) -> int:
    """MACs of the two matrix products of attention (queries by keys, weights by values) for one text.

    Each query head multiplies [L, D] by [D, L], then [L, L] by [L, D]. Causal attention could skip the
    upper triangle; like torch's counter, this function counts the whole square.
    """
    model = isinstance(what, nn.Module)
    layers = widths.of_model(what) if model else widths.of_config(what)
    head_dim = widths.head_size(what.config if model else what)
    return sum(2 * layer.heads * tokens**2 * head_dim for layer in layers)


@torch.no_grad()
def counted_macs(model: PreTrainedModel, tokens: int) -> int:
    """MACs of one forward pass by torch's FLOP counter: Linear layers and the products of attention.

    Also works on the meta device, where nothing is computed. The counter reports FLOPs, two per MAC. It does
    not count the CPU's fused attention kernel, so attention runs as plain products during the pass; no
    setting of the model changes. The angles of the rotary embedding, which some versions of transformers
    compute by a matrix product, are not counted. The attention mask is passed in, because transformers
    would read values of meta tensors to make one.
    """
    ids = torch.zeros(1, tokens, dtype=torch.long, device=model.device)
    mask = torch.zeros(1, 1, tokens, tokens, dtype=model.dtype, device=model.device)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(ids, attention_mask=mask, use_cache=False)
    angles = {name: ops for name, ops in counter.get_flop_counts().items() if name.endswith(".rotary_emb")}
    return (counter.get_total_flops() - sum(sum(ops.values()) for ops in angles.values())) // 2


def skeleton(config: PretrainedConfig, layers: list[Widths]) -> PreTrainedModel:
    """The architecture without weights, on the meta device."""
    config = type(config)(**{**config.to_dict(), "layer_widths": [vars(width) for width in layers]})
    with torch.device("meta"):
        return KINDS[config.model_type][1](config)
