"""The widths of decoder layers: read from a model, stored in its config, restored when it is loaded.

The classes of models with unequal widths are in sliced_llama.py, which is saved beside their weights.
"""

from dataclasses import asdict
from typing import Any

from transformers import LlamaForCausalLM, MistralForCausalLM, PreTrainedModel, Qwen2ForCausalLM

from labsupport.layer_widths import Widths, head_size, of_config
from labsupport.sliced_llama import SlicedLlama, SlicedMistral, SlicedQwen2, replace

__all__ = ["KINDS", "Widths", "head_size", "note", "of_config", "of_model", "replace"]

# Model type -> its class, and the class with widths of its own in each layer. Mistral and Qwen2 have the
# Linear layers of a Llama, Qwen2 with biases.
KINDS: dict[str, tuple[type[PreTrainedModel], type[PreTrainedModel]]] = {
    "llama": (LlamaForCausalLM, SlicedLlama),
    "mistral": (MistralForCausalLM, SlicedMistral),
    "qwen2": (Qwen2ForCausalLM, SlicedQwen2),
}


def of_model(model: PreTrainedModel) -> list[Widths]:
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


def note(model: PreTrainedModel) -> None:
    """Write the widths of the model's weights into its config, in place, so that a saved model can be loaded.

    Equal widths in all layers go into the config's fields, and any Llama loader can read the model. Unequal
    widths, and a number of heads that does not divide the hidden size, do not fit into these fields: then
    the fields do not change, `layer_widths` lists the widths, and the model's class becomes the one that
    reads this list, so that save_pretrained puts its source beside the weights. The model lets go of the
    file that it was read from, which holds the weights that it lost.
    """
    _let_go(model)
    config: Any = model.config
    layers: Any = model.model.layers
    widths = of_model(model)
    stock, sliced = KINDS[config.model_type]
    for layer, width in zip(layers, widths, strict=True):
        layer.mlp.intermediate_size = width.channels
    if len(set(widths)) > 1 or config.hidden_size % widths[0].heads:
        config.layer_widths = [asdict(width) for width in widths]
        model.__class__ = sliced
        return
    config.head_dim = head_size(config)  # before the number of heads changes, from which Qwen2 infers it
    config.num_key_value_heads, config.num_attention_heads = widths[0].kv_heads, widths[0].heads
    config.intermediate_size = widths[0].channels
    model.__class__ = stock
    for name in ("layer_widths", "auto_map"):
        if hasattr(config, name):
            delattr(config, name)


def _let_go(model: PreTrainedModel) -> None:
    """Copy the weights that lie in a mapped file: none of its memory goes as long as one of them is there."""
    for weight in model.parameters():
        if not weight.untyped_storage().resizable():  # not torch's own memory
            weight.data = weight.detach().clone()
