"""A preview of structured pruning: widths, parameters and MACs of a Llama, without its weights or torch."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from labsupport.layer_widths import Widths, head_size, of_config
from labsupport.planning import plan_widths
from labsupport.table import columns, ranges

FROM = 5  # lab 05 is given this file, after its first exercise
ANSWERS = ("count_parameters", "linear_macs")
DTYPES = {"float32": 4, "bfloat16": 2}  # bytes of a weight
BESIDES = 3 * 2**29  # bytes on a card that are no weights: CUDA's own, and activations
CARDS = (4, 8, 12, 16, 24, 32, 48, 80, 141)  # GB, the usual sizes


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


def plan(config: Any, ratio: float, layers: range, tokens: int = 64) -> Plan:
    """The plan of prune_blocks for a model with this config; no weight is needed.

    config: of transformers, or of shapes.config; ratio: share to remove of each of `layers`, 0 to 1; layers:
    range of decoder layers, from 0. Raises ValueError for either outside the model, and for less than one
    token.
    """
    if tokens < 1:
        raise ValueError(f"tokens is {tokens}: it must be 1 or more")
    before = of_config(config)
    after, notes = plan_widths(before, head_size(config), ratio, layers)
    (dense, dense_macs), (pruned, pruned_macs) = counts(config, before), counts(config, after)
    return Plan(dense, pruned, tokens * dense_macs, tokens * pruned_macs, after, notes)


def counts(config: Any, layers: list[Widths]) -> tuple[int, int]:
    """Parameters of a model with these widths, and MACs of its Linear layers for one token."""
    hidden, head_dim = config.hidden_size, head_size(config)
    qkv_bias, o_bias, mlp_bias = biases(config)
    products = table = config.vocab_size * hidden  # lm_head's, and one of embedding and head
    others = hidden + (0 if config.tie_word_embeddings else table)
    for width in layers:
        queries, keys = width.heads * head_dim, width.kv_heads * head_dim
        products += hidden * (2 * queries + 2 * keys + 3 * width.channels)
        others += 2 * hidden + qkv_bias * (queries + 2 * keys) + o_bias * hidden
        others += mlp_bias * (2 * width.channels + hidden)
    return products + others, products


def biases(config: Any) -> tuple[bool, bool, bool]:
    """Whether q, k and v, then o, then the MLP have biases: in Qwen2 the first, in a Llama by its config."""
    llama = config.model_type == "llama"
    attention = llama and bool(getattr(config, "attention_bias", False))
    mlp = llama and bool(getattr(config, "mlp_bias", False))
    return attention or config.model_type == "qwen2", attention, mlp


def card_bytes(found: Plan) -> dict[str, int]:
    """By dtype, the bytes of a card that holds the model before and after, and runs them."""
    both = found.parameters_before + found.parameters_after
    return {name: size * both + BESIDES for name, size in DTYPES.items()}


def card(needed: int) -> str:
    """The smallest usual card with so many bytes."""
    enough = [size for size in CARDS if size * 10**9 >= needed]
    return f"{enough[0]} GB" if enough else "more than one"


def as_json(found: Plan) -> str:
    """A plan as JSON; `layers` lists the later widths of every layer of the model."""
    layers = [{"layer": index, **asdict(width)} for index, width in enumerate(found.layers)]
    return json.dumps({**asdict(found), "layers": layers, "card_bytes": card_bytes(found)}, indent=1)


def as_text(found: Plan, tokens: int) -> str:
    """A plan as two tables, layers of equal widths in one line."""
    alike: dict[Widths, list[str]] = {}
    for index, width in enumerate(found.layers):
        alike.setdefault(width, []).append(str(index))
    rows = [
        [ranges(members), f"{w.kv_heads:,}", f"{w.heads:,}", f"{w.channels:,}"]
        for w, members in alike.items()
    ]
    amounts = [
        [what, f"{before:,}", f"{after:,}", f"{after / before:.4%}"]
        for what, before, after in (
            ("parameters", found.parameters_before, found.parameters_after),
            (f"MACs, {tokens} tokens", found.macs_before, found.macs_after),
        )
    ]
    room = [[name, f"{needed / 1e9:.1f} GB", card(needed)] for name, needed in card_bytes(found).items()]
    tables = [
        columns(["", "before", "after", "left"], amounts),
        columns(["layers", "kv heads", "heads", "channels"], rows),
        columns(["both on a GPU", "needed", "a card of"], room),
    ]
    return "\n\n".join(tables + found.notes)
