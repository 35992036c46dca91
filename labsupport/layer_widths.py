"""The widths of decoder layers as a config gives them; saved beside sliced_llama.py, without any package."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Widths:
    """One decoder layer: key-value heads, query heads, and channels between gate/up and down."""

    kv_heads: int
    heads: int
    channels: int


def of_config(config: Any) -> list[Widths]:
    """The widths of every layer by a config; raises ValueError for a damaged list."""
    if listed := getattr(config, "layer_widths", None):
        try:
            found = [Widths(**widths) for widths in listed]
        except TypeError:
            found = []
        if len(found) != config.num_hidden_layers:
            raise ValueError("layer_widths in the config must give kv_heads, heads, channels of each layer")
        return found
    same = Widths(config.num_key_value_heads, config.num_attention_heads, config.intermediate_size)
    return [same] * config.num_hidden_layers


def head_size(config: Any) -> int:
    """The size of a head; a config without one (Qwen2) divides its hidden size by its heads."""
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
