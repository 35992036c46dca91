"""A preview of structured pruning: widths, parameters and MACs of a Llama, without its weights."""

import json
from dataclasses import asdict, dataclass

from torch import nn
from transformers import PretrainedConfig

from labsupport import widths
from labsupport.given.macs import linear_macs, skeleton
from labsupport.planning import plan_widths
from labsupport.table import columns, ranges
from labsupport.widths import Widths

FROM = 5  # lab 05 is given this file, after its first exercise
ANSWERS = ("count_parameters", "linear_macs")


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


def plan(config: PretrainedConfig, ratio: float, layers: range, tokens: int = 64) -> Plan:
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


def _parameters(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())  # parameters() lists a shared weight once
