"""Llama models whose decoder layers have widths of their own, which their config lists.

A stock config has one width for all layers. Structured pruning makes widths differ; then the config has a
list, `layer_widths`, and save_pretrained puts a copy of this file beside the weights. It needs torch and
transformers alone, so that such a folder loads anywhere:

    AutoModelForCausalLM.from_pretrained(FOLDER, trust_remote_code=True)
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import LlamaForCausalLM, MistralForCausalLM, PretrainedConfig, Qwen2ForCausalLM


@dataclass(frozen=True)
class Widths:
    """One decoder layer: key-value heads, query heads, and channels between gate/up and down."""

    kv_heads: int
    heads: int
    channels: int


def of_config(config: PretrainedConfig) -> list[Widths]:
    """The widths of every layer by a config; raises ValueError for a damaged list."""
    fields: Any = config  # a config fills in its defaults when it is created
    if listed := getattr(config, "layer_widths", None):
        try:
            found = [Widths(**widths) for widths in listed]
        except TypeError:
            found = []
        if len(found) != fields.num_hidden_layers:
            raise ValueError("layer_widths in the config must give kv_heads, heads, channels of each layer")
        return found
    same = Widths(fields.num_key_value_heads, fields.num_attention_heads, fields.intermediate_size)
    return [same] * fields.num_hidden_layers


def head_size(config: PretrainedConfig) -> int:
    """The size of a head; a config without one (Qwen2) divides its hidden size by its heads."""
    fields: Any = config
    return getattr(config, "head_dim", None) or fields.hidden_size // fields.num_attention_heads


def replace(linear: nn.Linear, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
    """Replace weight [out, in] and bias of a Linear in place, and update its sizes."""
    trained = linear.weight.requires_grad
    linear.weight = nn.Parameter(weight.contiguous(), requires_grad=trained)
    linear.out_features, linear.in_features = weight.shape
    if linear.bias is not None:
        assert bias is not None, "a Linear that has a bias needs one of its new size"
        linear.bias = nn.Parameter(bias.contiguous(), requires_grad=trained)


class Sliced:
    """A model whose layers take the widths listed in its config when it is created."""

    def __init__(self, config: PretrainedConfig):
        super().__init__(config)  # pyright: ignore[reportCallIssue]  of the model beside which this class stands
        layers: Any = self.model.layers  # pyright: ignore[reportAttributeAccessIssue]
        fields: Any = config
        head_dim, hidden = head_size(config), fields.hidden_size
        for layer, width in zip(layers, of_config(config), strict=True):
            attention, mlp = layer.self_attn, layer.mlp
            queries, keys = width.heads * head_dim, width.kv_heads * head_dim
            sizes = {
                attention.q_proj: (queries, hidden), attention.k_proj: (keys, hidden),
                attention.v_proj: (keys, hidden), attention.o_proj: (hidden, queries),
                mlp.gate_proj: (width.channels, hidden), mlp.up_proj: (width.channels, hidden),
                mlp.down_proj: (hidden, width.channels),
            }  # fmt: skip
            for linear, (rows, columns) in sizes.items():
                bias = None if linear.bias is None else linear.bias.new_empty(rows)
                replace(linear, linear.weight.new_empty(rows, columns), bias)
            mlp.intermediate_size = width.channels


class SlicedLlama(Sliced, LlamaForCausalLM):
    """A Llama with widths of its own in each layer."""


class SlicedMistral(Sliced, MistralForCausalLM):
    """A Mistral with widths of its own in each layer."""


class SlicedQwen2(Sliced, Qwen2ForCausalLM):
    """A Qwen2 with widths of its own in each layer."""


for kind in (SlicedLlama, SlicedMistral, SlicedQwen2):  # save_pretrained copies this file for them
    kind.register_for_auto_class("AutoModelForCausalLM")
