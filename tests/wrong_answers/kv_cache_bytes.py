"""Answers to kv_cache_bytes. A wrong one's docstring is the phrase that must name its mistake."""

import torch
from transformers import LlamaForCausalLM


def right_closed_form(config, tokens, dtype_bytes):
    numbers = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    return numbers * tokens * dtype_bytes


def right_layer_by_layer(config, tokens, dtype_bytes):
    one = tokens * config.num_key_value_heads * config.head_dim * dtype_bytes
    return sum(keys + values for keys, values in [(one, one)] * config.num_hidden_layers)


def right_from_the_layers(config, tokens, dtype_bytes):
    """What k_proj and v_proj of the model put out."""
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    attention = [layer.self_attn for layer in model.model.layers]
    rows = sum(each.k_proj.out_features + each.v_proj.out_features for each in attention)
    return rows * tokens * dtype_bytes


def right_from_tensors(config, tokens, dtype_bytes):
    """The bytes of a cache that is laid out and never filled."""
    shape = (config.num_hidden_layers, 2, config.num_key_value_heads, tokens, config.head_dim)
    cache = torch.empty(shape, dtype=torch.int8, device="meta")
    return cache.nbytes * dtype_bytes


def keys_only(config, tokens, dtype_bytes):
    """keys alone, or values alone, were counted"""
    return right_closed_form(config, tokens, dtype_bytes) // 2


def heads_of_one_group(config, tokens, dtype_bytes):
    """the query heads of one KV head were counted"""
    heads = config.num_attention_heads // config.num_key_value_heads
    return 2 * config.num_hidden_layers * heads * config.head_dim * tokens * dtype_bytes


def three_tensors(config, tokens, dtype_bytes):
    """three tensors were counted"""
    return right_closed_form(config, tokens, dtype_bytes) // 2 * 3


def query_heads(config, tokens, dtype_bytes):
    """grouped-query attention was ignored"""
    numbers = 2 * config.num_hidden_layers * config.num_attention_heads * config.head_dim
    return numbers * tokens * dtype_bytes


def hidden_size(config, tokens, dtype_bytes):
    """hidden_size was taken for the width of the keys"""
    return 2 * config.num_hidden_layers * config.hidden_size * tokens * dtype_bytes


def no_head_dim(config, tokens, dtype_bytes):
    """the width of a head was taken to be hidden_size / heads"""
    head_dim = config.hidden_size // config.num_attention_heads
    return 2 * config.num_hidden_layers * config.num_key_value_heads * head_dim * tokens * dtype_bytes


def queries_too(config, tokens, dtype_bytes):
    """the queries were counted too"""
    heads = config.num_attention_heads + 2 * config.num_key_value_heads
    return config.num_hidden_layers * heads * config.head_dim * tokens * dtype_bytes


def one_layer(config, tokens, dtype_bytes):
    """decoder layers was counted"""
    return right_closed_form(config, tokens, dtype_bytes) // config.num_hidden_layers


def no_tokens(config, tokens, dtype_bytes):
    """the tokens were forgotten"""
    return right_closed_form(config, 1, dtype_bytes)


def tokens_squared(config, tokens, dtype_bytes):
    """the tokens were counted twice"""
    return right_closed_form(config, tokens**2, dtype_bytes)


def one_head(config, tokens, dtype_bytes):
    """one KV head was counted"""
    return right_closed_form(config, tokens, dtype_bytes) // config.num_key_value_heads


def heads_without_width(config, tokens, dtype_bytes):
    """a head was counted as one number"""
    return right_closed_form(config, tokens, dtype_bytes) // config.head_dim


def elements(config, tokens, dtype_bytes):
    """elements were counted, not bytes"""
    return right_closed_form(config, tokens, 1)


def always_half_precision(config, tokens, dtype_bytes):
    """2 bytes a number were taken"""
    return right_closed_form(config, tokens, 2)


def always_float32(config, tokens, dtype_bytes):
    """4 bytes a number were taken"""
    return right_closed_form(config, tokens, 4)


def bits(config, tokens, dtype_bytes):
    """the answer is in bits"""
    return 8 * right_closed_form(config, tokens, dtype_bytes)


def in_mebibytes(config, tokens, dtype_bytes):
    """it is a float"""
    return right_closed_form(config, tokens, dtype_bytes) / 2**20


def forgets_return(config, tokens, dtype_bytes):
    """is a return missing?"""
    right_closed_form(config, tokens, dtype_bytes)


def not_written(config, tokens, dtype_bytes):
    """not written yet"""
    raise NotImplementedError()
