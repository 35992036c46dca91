"""The names and shapes of a Llama's weights by its config, and what of them may be gone."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from labsupport.widths import Widths, head_size

EMBEDDING = "model.embed_tokens.weight"
BLOCK = re.compile(r"model\.layers\.(\d+)\.(.+)")


def shapes(config: Any) -> dict[str, tuple[int, ...]]:
    """Every weight of a Llama without biases, in the model's order; a tied head is none."""
    hidden = config.hidden_size
    dense = Widths(config.num_key_value_heads, config.num_attention_heads, config.intermediate_size)
    found: dict[str, tuple[int, ...]] = {EMBEDDING: (config.vocab_size, hidden)}
    for number in range(config.num_hidden_layers):
        block = block_shapes(dense, head_size(config), hidden)
        found |= {f"model.layers.{number}.{name}": shape for name, shape in block.items()}
    found["model.norm.weight"] = (hidden,)
    if not config.tie_word_embeddings:
        found["lm_head.weight"] = (config.vocab_size, hidden)
    return found


def block_shapes(width: Widths, head_dim: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """The weights of one decoder block of these widths, by their names in the block."""
    queries, keys = width.heads * head_dim, width.kv_heads * head_dim
    return {
        "self_attn.q_proj.weight": (queries, hidden),
        "self_attn.k_proj.weight": (keys, hidden),
        "self_attn.v_proj.weight": (keys, hidden),
        "self_attn.o_proj.weight": (hidden, queries),
        "mlp.gate_proj.weight": (width.channels, hidden),
        "mlp.up_proj.weight": (width.channels, hidden),
        "mlp.down_proj.weight": (hidden, width.channels),
        "input_layernorm.weight": (hidden,),
        "post_attention_layernorm.weight": (hidden,),
    }


def must_fit(found: Mapping[str, Sequence[int]], dropped: Sequence[int], config: Any) -> None:
    """Raise ValueError, one sentence, unless these weights are a model of this config, whole or pruned.

    found: shapes by name. The blocks of `dropped` are gone; in each other block whole channels and whole KV
    groups, with the query heads that they serve, may be gone.
    """
    count = config.num_hidden_layers
    if odd := [number for number in dropped if not 0 <= number < count]:
        raise ValueError(f"There is no block {odd[0]} to drop: the model has blocks 0 to {count - 1}")
    if len(set(dropped)) < len(dropped) or len(dropped) == count:
        raise ValueError("'dropped' names each block that is gone once, and one block at least must stay")
    known = shapes(config)
    kept = {name: shape for name, shape in known.items() if number_of(name) not in dropped}
    for name in found:
        if name in known and name not in kept:
            raise ValueError(f"{name} is there, and its block {number_of(name)} is in 'dropped'")
        if name not in kept:
            raise ValueError(f"'{name[:100]}' is no weight of the model")
    if missing := [name for name in kept if name not in found]:
        number = number_of(missing[0])
        said = "" if number is None else f" (a whole block that is gone is named in 'dropped': {number})"
        raise ValueError(
            f"{len(missing)} of {len(kept)} weights are missing, the first is {missing[0]}{said}"
        )
    for number in set(range(count)) - set(dropped):
        start = f"model.layers.{number}."
        keys, channels = found[f"{start}self_attn.k_proj.weight"][0], found[f"{start}mlp.gate_proj.weight"][0]
        wanted = _narrowed(keys, channels, config)
        kept |= {start + name: shape for name, shape in wanted.items()}
    for name, shape in kept.items():
        if tuple(found[name]) != shape:
            raise ValueError(
                f"{name} is {tuple(found[name])}; with what else is in its block it must be {shape}"
                if number_of(name) is not None and "norm" not in name
                else f"{name} is {tuple(found[name])}, not {shape}"
            )


def _narrowed(keys: int, channels: int, config: Any) -> dict[str, tuple[int, ...]]:
    """The shapes of a block with so many rows of k and of gate; the dense ones where these are impossible."""
    head_dim, kv_heads = head_size(config), config.num_key_value_heads
    whole = keys % head_dim == 0 and keys // head_dim <= kv_heads
    left = keys // head_dim if whole else kv_heads
    served = config.num_attention_heads // kv_heads
    width = Widths(left, left * served, min(channels, config.intermediate_size))
    return block_shapes(width, head_dim, config.hidden_size)


def number_of(name: str) -> int | None:
    """The number of the block that a weight belongs to; None for the others."""
    match = BLOCK.fullmatch(name)
    return int(match[1]) if match else None
