"""A preview of structured pruning: widths, parameters and MACs of a Llama, without its weights."""

import json
import re
from dataclasses import asdict, dataclass

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from labsupport import widths
from labsupport.table import columns, ranges
from labsupport.widths import SlicedLlama, Widths


def narrowed(width: Widths, head_dim: int, ratio: float) -> Widths:
    """The widths of one layer after pruning; at least one channel and one KV head remain.

    Of w channels int(w * (1 - ratio)) remain. Of the key-value rows only whole heads are removed:
    (rows - int(rows * (1 - ratio))) // head_dim of them, each with the query heads that it serves.
    """
    rows = width.kv_heads * head_dim
    heads_gone = (rows - int(rows * (1 - ratio))) // head_dim
    kv_heads = max(1, width.kv_heads - heads_gone)
    served = width.heads // width.kv_heads
    return Widths(kv_heads, kv_heads * served, max(1, int(width.channels * (1 - ratio))))


@dataclass(frozen=True)
class Plan:
    """A preview: widths of every layer afterwards, parameters and MACs before and after.

    MACs are multiply-accumulates of all Linear layers, lm_head included, for `tokens` tokens; `notes`
    are sentences on blocks that do not change or that reach the minimum.
    """

    parameters_before: int
    parameters_after: int
    macs_before: int
    macs_after: int
    layers: list[Widths]
    notes: list[str]


def plan(config: LlamaConfig, ratio: float, layers: range, tokens: int = 64) -> Plan:
    """The plan of prune_blocks for a model with this config; no weight is needed.

    ratio: share to remove of each of `layers`, 0 to 1; layers: range of decoder layers, from 0. Raises
    ValueError for either outside the model, and for less than one token.
    """
    if tokens < 1:
        raise ValueError(f"tokens is {tokens}: it must be 1 or more")
    before = widths.of_config(config)
    after, notes = plan_widths(before, widths.head_size(config), ratio, layers)
    dense, pruned = skeleton(config, before), skeleton(config, after)
    return Plan(
        _parameters(dense),
        _parameters(pruned),
        linear_macs(dense, tokens),
        linear_macs(pruned, tokens),
        after,
        notes,
    )


def layer_range(text: str | None, count: int) -> range:
    """The range of "4:18", layers 4 to 17; all `count` layers for an empty text or None."""
    if not (match := re.fullmatch(r"(\d*):(\d*)", text or ":")):
        raise ValueError(f"--layers is '{text}': it must be A:B, such as 4:18 for layers 4 to 17")
    first, end = match.groups()
    return range(int(first or 0), int(end) if end else count)


def as_json(found: Plan) -> str:
    """A plan as JSON; `layers` lists the later widths of every layer of the model."""
    layers = [{"layer": index, **asdict(width)} for index, width in enumerate(found.layers)]
    return json.dumps({**asdict(found), "layers": layers}, indent=1)


def as_text(found: Plan, tokens: int) -> str:
    """A plan as two tables, layers of equal widths in one line."""
    alike: dict[Widths, list[str]] = {}
    for index, width in enumerate(found.layers):
        alike.setdefault(width, []).append(str(index))
    rows = [
        [ranges(members), f"{w.kv_heads:,}", f"{w.heads:,}", f"{w.channels:,}"]
        for w, members in alike.items()
    ]
    counts = [
        [what, f"{before:,}", f"{after:,}", f"{after / before:.4%}"]
        for what, before, after in (
            ("parameters", found.parameters_before, found.parameters_after),
            (f"MACs, {tokens} tokens", found.macs_before, found.macs_after),
        )
    ]
    tables = [
        columns(["", "before", "after", "left"], counts),
        columns(["layers", "kv heads", "heads", "channels"], rows),
    ]
    return "\n\n".join(tables + found.notes)


def plan_widths(
    before: list[Widths], head_dim: int, ratio: float, layers: range
) -> tuple[list[Widths], list[str]]:
    """The widths of every layer afterwards, and sentences on blocks that do not change."""
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio is {ratio}: it must be from 0 to 1")
    if outside := [layer for layer in layers if not 0 <= layer < len(before)]:
        raise ValueError(f"there is no layer {outside[0]}: the model has layers 0 to {len(before) - 1}")
    after = [narrowed(w, head_dim, ratio) if i in layers else w for i, w in enumerate(before)]
    return after, _notes([(before[i], after[i]) for i in layers], head_dim, ratio)


def _notes(pairs: list[tuple[Widths, Widths]], head_dim: int, ratio: float) -> list[str]:
    if not pairs:
        return ["The range of layers is empty: nothing is removed."]
    if ratio == 0:
        return ["Ratio 0 removes nothing."]
    notes = []
    if all(old.kv_heads == new.kv_heads for old, new in pairs):
        heads = " or ".join(map(str, sorted({old.kv_heads for old, _ in pairs})))
        notes.append(
            f"Attention stays as it is: ratio {ratio:g} of {heads} key-value heads is not one whole head "
            f"of {head_dim} rows, or the last one."
        )
    if all(old.channels == new.channels for old, new in pairs):
        notes.append(f"The MLP stays as it is: ratio {ratio:g} is not one whole channel, or the last one.")
    if any(int(old.channels * (1 - ratio)) < 1 for old, _ in pairs):
        notes.append("One channel and one key-value head stay in each layer: none may end empty.")
    return notes


def skeleton(config: LlamaConfig, layers: list[Widths]) -> LlamaForCausalLM:
    """The architecture without weights, on the meta device."""
    config = type(config)(**{**config.to_dict(), "layer_widths": [vars(width) for width in layers]})
    with torch.device("meta"):
        return SlicedLlama(config)


def _parameters(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())  # parameters() lists a shared weight once


def linear_macs(model: nn.Module, tokens: int) -> int:
    """Multiply-accumulates of all Linear layers of a model, lm_head included, for `tokens` tokens."""
    linears = (module for module in model.modules() if isinstance(module, nn.Linear))
    return tokens * sum(linear.in_features * linear.out_features for linear in linears)
