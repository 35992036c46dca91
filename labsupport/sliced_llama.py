"""Llama models whose decoder layers have widths of their own, which their config lists.

A stock config has one width for all layers. Structured pruning makes widths differ; then the config has a
list, `layer_widths`, and save_pretrained puts a copy of this file and of layer_widths.py beside the weights.
They need torch and transformers alone, so that such a folder loads anywhere:

    AutoModelForCausalLM.from_pretrained(FOLDER, trust_remote_code=True)
"""

from typing import Any

import torch
from torch import nn
from transformers import LlamaForCausalLM, MistralForCausalLM, PretrainedConfig, Qwen2ForCausalLM

from .layer_widths import head_size, of_config


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
