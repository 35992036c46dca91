"""Answers to attention_macs. A wrong one's docstring is the phrase that must name its mistake."""

import torch
from torch.utils.flop_counter import FlopCounterMode


def right_closed_form(config, tokens):
    heads, head_dim = config.num_attention_heads, config.head_dim
    return 2 * config.num_hidden_layers * heads * head_dim * tokens * tokens


def right_head_by_head(config, tokens):
    total = 0
    for _layer in range(config.num_hidden_layers):
        for _head in range(config.num_attention_heads):
            scores = tokens * config.head_dim * tokens  # [T, D] by [D, T]
            mixed = tokens * tokens * config.head_dim  # [T, T] by [T, D]
            total += scores + mixed
    return total


def right_as_two_linear_layers(config, tokens):
    width = config.num_attention_heads * config.head_dim
    return config.num_hidden_layers * sum(tokens * each for each in (tokens * width, width * tokens))


def right_counted_by_torch(config, tokens):
    """torch counts the products of one layer on the meta device, FLOPs of course."""
    heads, head_dim = config.num_attention_heads, config.head_dim
    query = torch.empty(heads, tokens, head_dim, device="meta")
    with FlopCounterMode(display=False) as counter:
        (query @ query.transpose(1, 2)) @ query
    return config.num_hidden_layers * (counter.get_total_flops() // 2)


def heads_of_one_group(config, tokens):
    """the query heads of one KV head were counted"""
    return right_closed_form(config, tokens) // config.num_key_value_heads


def heads_times_kv_heads(config, tokens):
    """query heads and KV heads were both multiplied"""
    return right_closed_form(config, tokens) * config.num_key_value_heads


def values_of_kv_heads(config, tokens):
    """one of the products was given to the"""
    heads = config.num_attention_heads + config.num_key_value_heads
    return config.num_hidden_layers * heads * config.head_dim * tokens**2


def flops(config, tokens):
    """FLOPs were counted"""
    return 2 * right_closed_form(config, tokens)


def one_product(config, tokens):
    """one product was counted"""
    return right_closed_form(config, tokens) // 2


def kv_heads(config, tokens):
    """KV heads were counted"""
    return 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * tokens**2


def hidden_size(config, tokens):
    """the width of a head was taken to be hidden_size / heads"""
    return 2 * config.num_hidden_layers * config.hidden_size * tokens**2


def no_head_dim(config, tokens):
    """the width of a head was taken to be hidden_size / heads"""
    head_dim = config.hidden_size // config.num_attention_heads
    return 2 * config.num_hidden_layers * config.num_attention_heads * head_dim * tokens**2


def one_partner(config, tokens):
    """every token was given one partner"""
    return right_closed_form(config, tokens) // tokens


def no_tokens(config, tokens):
    """the tokens were forgotten"""
    return right_closed_form(config, 1)


def causal_half(config, tokens):
    """the upper triangle was left out"""
    return right_closed_form(config, 1) * tokens * (tokens + 1) // 2


def one_layer(config, tokens):
    """decoder layers was counted"""
    return right_closed_form(config, tokens) // config.num_hidden_layers


def one_head(config, tokens):
    """one head was counted"""
    return right_closed_form(config, tokens) // config.num_attention_heads


def scores_without_width(config, tokens):
    """a score was counted as one MAC"""
    return right_closed_form(config, tokens) // config.head_dim


def with_softmax(config, tokens):
    """the softmax was counted"""
    softmax = config.num_hidden_layers * config.num_attention_heads * tokens**2
    return right_closed_form(config, tokens) + softmax


def with_projections(config, tokens):
    """the Linear layers were counted too"""
    rows = config.head_dim * (2 * config.num_attention_heads + 2 * config.num_key_value_heads)
    linear = config.num_hidden_layers * rows * config.hidden_size * tokens
    return right_closed_form(config, tokens) + linear


def a_float(config, tokens):
    """it is a float"""
    return right_closed_form(config, tokens) / 1


def through_a_float(config, tokens):
    """a float was used"""
    return int(right_closed_form(config, 1) * float(tokens) ** 2)


def forgets_return(config, tokens):
    """is a return missing?"""
    right_closed_form(config, tokens)


def changes_the_config(config, tokens):
    """changed config in place"""
    found = right_closed_form(config, tokens)
    config.num_hidden_layers = 1
    return found


def bitwise(config, tokens):
    """tokens ^ 2 was written"""
    return config.num_hidden_layers * config.num_attention_heads * 2 * config.head_dim * (tokens ^ 2)


def not_written(config, tokens):
    """not written yet"""
    raise NotImplementedError()
