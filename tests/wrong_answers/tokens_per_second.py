"""Answers to tokens_per_second. A wrong one's docstring is the phrase that must name its mistake."""

import torch
from transformers import LlamaForCausalLM

from labsupport.given.macs import model_macs


def _cache(config, context, heads=None):
    heads = config.num_key_value_heads if heads is None else heads
    return 2 * config.num_hidden_layers * heads * config.head_dim * context * 2


def _weights(config, head=True):
    hidden, width = config.hidden_size, config.head_dim
    attention = 2 * hidden * width * (config.num_attention_heads + config.num_key_value_heads)
    layer = attention + 3 * hidden * config.intermediate_size
    return config.num_hidden_layers * layer + head * config.vocab_size * hidden


def right_macs(config, bits_per_weight, bandwidth, context):
    """Each weight multiplies once for a token."""
    return bandwidth / (model_macs(config, 1) * bits_per_weight / 8 + _cache(config, context))


def right_closed_form(config, bits_per_weight, bandwidth, context):
    seconds = _weights(config) * bits_per_weight / 8 / bandwidth + _cache(config, context) / bandwidth
    return 1 / seconds


def right_from_the_model(config, bits_per_weight, bandwidth, context):
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    linears = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    layers = [layer.self_attn for layer in model.model.layers]
    kept = sum(each.k_proj.out_features + each.v_proj.out_features for each in layers)
    bits = sum(linear.weight.numel() for linear in linears) * bits_per_weight + 16 * kept * context
    return 8 * bandwidth / bits


def bits_for_bytes(config, bits_per_weight, bandwidth, context):
    """bits were taken for bytes"""
    return bandwidth / (_weights(config) * bits_per_weight + _cache(config, context))


def half_precision(config, bits_per_weight, bandwidth, context):
    """two bytes a weight were counted"""
    return bandwidth / (_weights(config) * 2 + _cache(config, context))


def seconds(config, bits_per_weight, bandwidth, context):
    """these are seconds for a token"""
    return 1 / right_macs(config, bits_per_weight, bandwidth, context)


def bytes_read(config, bits_per_weight, bandwidth, context):
    """these are bytes"""
    return bandwidth / right_macs(config, bits_per_weight, bandwidth, context)


def no_head(config, bits_per_weight, bandwidth, context):
    """lm_head was left out"""
    weights = _weights(config, head=False)
    return bandwidth / (weights * bits_per_weight / 8 + _cache(config, context))


def no_tied_head(config, bits_per_weight, bandwidth, context):
    """head and embedding are one tensor"""
    weights = _weights(config, head=not config.tie_word_embeddings)
    return bandwidth / (weights * bits_per_weight / 8 + _cache(config, context))


def embedding_too(config, bits_per_weight, bandwidth, context):
    """the embedding was read whole"""
    weights = _weights(config) + config.vocab_size * config.hidden_size
    return bandwidth / (weights * bits_per_weight / 8 + _cache(config, context))


def all_parameters(config, bits_per_weight, bandwidth, context):
    """all parameters were counted"""
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    weights = sum(weight.numel() for weight in model.parameters())
    return bandwidth / (weights * bits_per_weight / 8 + _cache(config, context))


def no_cache(config, bits_per_weight, bandwidth, context):
    """the KV cache was left out"""
    return right_macs(config, bits_per_weight, bandwidth, 0)


def query_heads(config, bits_per_weight, bandwidth, context):
    """the cache was counted for all"""
    cache = _cache(config, context, config.num_attention_heads)
    return bandwidth / (_weights(config) * bits_per_weight / 8 + cache)


def keys_alone(config, bits_per_weight, bandwidth, context):
    """keys alone were counted"""
    return bandwidth / (_weights(config) * bits_per_weight / 8 + _cache(config, context) / 2)


def float32_cache(config, bits_per_weight, bandwidth, context):
    """numbers of 4 bytes were counted in the cache"""
    return bandwidth / (_weights(config) * bits_per_weight / 8 + _cache(config, context) * 2)


def cache_in_bits(config, bits_per_weight, bandwidth, context):
    """the bytes of the cache were taken for bits"""
    return 8 * bandwidth / (_weights(config) * bits_per_weight + _cache(config, context))


def quantised_cache(config, bits_per_weight, bandwidth, context):
    """the cache was given bits_per_weight"""
    numbers = _weights(config) + _cache(config, context) / 2
    return bandwidth / (numbers * bits_per_weight / 8)


def one_token(config, bits_per_weight, bandwidth, context):
    """one token was counted in the cache"""
    return right_macs(config, bits_per_weight, bandwidth, min(context, 1))


def no_head_dim(config, bits_per_weight, bandwidth, context):
    """the width of a head was taken to be hidden_size / heads"""
    width = config.hidden_size // config.num_attention_heads
    cache = _cache(config, context) * width / config.head_dim
    return bandwidth / (_weights(config) * bits_per_weight / 8 + cache)


def one_layer(config, bits_per_weight, bandwidth, context):
    """the cache of one layer was counted"""
    cache = _cache(config, context) / config.num_hidden_layers
    return bandwidth / (_weights(config) * bits_per_weight / 8 + cache)


def forgets_return(config, bits_per_weight, bandwidth, context):
    """is a return missing?"""
    right_macs(config, bits_per_weight, bandwidth, context)


def cut_to_a_whole_number(config, bits_per_weight, bandwidth, context):
    """the number was rounded, or // cut it"""
    return int(right_macs(config, bits_per_weight, bandwidth, context))


def no_brackets(config, bits_per_weight, bandwidth, context):
    """brackets are missing around what is read"""
    return bandwidth / _weights(config) * bits_per_weight / 8 + _cache(config, context)


def cache_outside(config, bits_per_weight, bandwidth, context):
    """brackets are missing around what is read"""
    return bandwidth / (_weights(config) * bits_per_weight / 8) + _cache(config, context)


def not_written(config, bits_per_weight, bandwidth, context):
    """not written yet"""
    raise NotImplementedError()
