"""The widths of decoder layers: read from a model, stored in its config, restored when it is loaded.

A Llama config has one width for all layers. Structured pruning makes widths differ, so the config of such
a model has a list, `layer_widths`, which save_pretrained writes and `SlicedLlama` reads.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM


@dataclass(frozen=True)
class Widths:
    """One decoder layer: key-value heads, query heads, and channels between gate/up and down."""

    kv_heads: int
    heads: int
    channels: int


def of_config(config: LlamaConfig) -> list[Widths]:
    """The widths of every layer by a config; raises ValueError for a damaged list."""
    if listed := getattr(config, "layer_widths", None):
        try:
            found = [Widths(**widths) for widths in listed]
        except TypeError:
            found = []
        if len(found) != config.num_hidden_layers:
            raise ValueError("layer_widths in the config must give kv_heads, heads, channels of each layer")
        return found
    kv_heads: Any = config.num_key_value_heads  # LlamaConfig fills in a default when it is created
    same = Widths(kv_heads, config.num_attention_heads, config.intermediate_size)
    return [same] * config.num_hidden_layers


def head_size(config: LlamaConfig) -> int:
    """The size of a head; LlamaConfig fills in a default when it is created."""
    head_dim: Any = config.head_dim
    return head_dim


def of_model(model: LlamaForCausalLM) -> list[Widths]:
    """The widths of every layer by the shapes of its weights, independent of the config."""
    layers: Any = model.model.layers  # attributes of nn.Module are untyped
    head_dim = head_size(model.config)
    return [
        Widths(
            layer.self_attn.k_proj.out_features // head_dim,
            layer.self_attn.q_proj.out_features // head_dim,
            layer.mlp.gate_proj.out_features,
        )
        for layer in layers
    ]


def note(model: LlamaForCausalLM) -> None:
    """Write the widths of the model's weights into its config, in place, so that a saved model can be loaded.

    Equal widths in all layers go into the config's fields, and any Llama loader can read the model. Unequal
    widths, and a number of heads that does not divide the hidden size, do not fit into these fields: then
    the fields do not change, and `layer_widths` lists the widths. The model lets go of the file that it was
    read from, which holds the weights that it lost.
    """
    _let_go(model)
    config: Any = model.config
    layers: Any = model.model.layers
    widths = of_model(model)
    for layer, width in zip(layers, widths, strict=True):
        layer.mlp.intermediate_size = width.channels
    if len(set(widths)) > 1 or config.hidden_size % widths[0].heads:
        config.layer_widths = [asdict(width) for width in widths]
        return
    config.num_key_value_heads, config.num_attention_heads = widths[0].kv_heads, widths[0].heads
    config.intermediate_size = widths[0].channels
    if hasattr(config, "layer_widths"):
        del config.layer_widths


def _let_go(model: nn.Module) -> None:
    """Copy the weights that lie in a mapped file: none of its memory goes as long as one of them is there."""
    for weight in model.parameters():
        if not weight.untyped_storage().resizable():  # not torch's own memory
            weight.data = weight.detach().clone()


def replace(linear: nn.Linear, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
    """Replace weight [out, in] and bias of a Linear in place, and update its sizes."""
    trained = linear.weight.requires_grad
    linear.weight = nn.Parameter(weight.contiguous(), requires_grad=trained)
    linear.out_features, linear.in_features = weight.shape
    if linear.bias is not None:
        assert bias is not None, "a Linear that has a bias needs one of its new size"
        linear.bias = nn.Parameter(bias.contiguous(), requires_grad=trained)


class SlicedLlama(LlamaForCausalLM):
    """A Llama whose layers have the widths listed in its config, for from_pretrained."""

    def __init__(self, config: LlamaConfig):
        super().__init__(config)
        layers: Any = self.model.layers
        head_dim = head_size(config)
        for layer, width in zip(layers, of_config(config), strict=True):
            attention, mlp = layer.self_attn, layer.mlp
            queries, keys = width.heads * head_dim, width.kv_heads * head_dim
            sizes = {
                attention.q_proj: (queries, config.hidden_size), attention.k_proj: (keys, config.hidden_size),
                attention.v_proj: (keys, config.hidden_size), attention.o_proj: (config.hidden_size, queries),
                mlp.gate_proj: (width.channels, config.hidden_size),
                mlp.up_proj: (width.channels, config.hidden_size),
                mlp.down_proj: (config.hidden_size, width.channels),
            }  # fmt: skip
            for linear, (rows, columns) in sizes.items():
                bias = None if linear.bias is None else linear.bias.new_empty(rows)
                replace(linear, linear.weight.new_empty(rows, columns), bias)
            mlp.intermediate_size = width.channels
