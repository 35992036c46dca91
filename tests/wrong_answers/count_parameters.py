"""Answers to count_parameters. A wrong one's docstring is the phrase that must name its mistake."""

import torch
from transformers import LlamaForCausalLM


def _count(config, head_dim=None, k_and_v=None, norms=2, final=1, mlp=3, o=1, tied=None, layers=None):
    head_dim = head_dim or config.head_dim
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    k_and_v = 2 * kv_heads if k_and_v is None else k_and_v
    hidden = config.hidden_size
    attention = hidden * head_dim * ((1 + o) * heads + k_and_v)
    layer = attention + mlp * hidden * config.intermediate_size + norms * hidden
    matrices = tied if tied is not None else 1 if config.tie_word_embeddings else 2
    layers = config.num_hidden_layers if layers is None else layers
    return matrices * config.vocab_size * hidden + layers * layer + final * hidden


def right_closed_form(config):
    return _count(config)


def right_skeleton(config):
    with torch.device("meta"):
        return sum(weight.numel() for weight in LlamaForCausalLM(config).parameters())


class _Count(int):
    """A class of the student's own."""


def an_own_class(config):
    """a _Count, a subclass of int"""
    return _Count(_count(config))


def grouped_queries_ignored(config):
    """k_proj and v_proj were counted as wide as q_proj"""
    return _count(config, k_and_v=2 * config.num_attention_heads)


def only_k_is_narrow(config):
    """one of k_proj and v_proj was counted as wide as q_proj"""
    return _count(config, k_and_v=config.num_attention_heads + config.num_key_value_heads)


def tied_twice(config):
    """tied embeddings were counted twice"""
    return _count(config, tied=2)


def head_forgotten(config):
    """the output head was forgotten"""
    return _count(config, tied=1)


def no_final_norm(config):
    """the final norm was forgotten"""
    return _count(config, final=0)


def no_norms(config):
    """the norms were forgotten"""
    return _count(config, norms=0, final=0)


def no_layer_norms(config):
    """the two norms of each layer were forgotten"""
    return _count(config, norms=0)


def one_norm(config):
    """each layer was given one norm"""
    return _count(config, norms=1)


def no_up(config):
    """the MLP was given two matrices"""
    return _count(config, mlp=2)


def no_o(config):
    """q_proj or o_proj was forgotten"""
    return _count(config, o=0)


def one_layer(config):
    """one layer was counted"""
    return _count(config, layers=1)


def divides_for_head_dim(config):
    """hidden_size / num_attention_heads"""
    return _count(config, head_dim=config.hidden_size // config.num_attention_heads)


def square_queries(config):
    """q_proj and o_proj were counted as hidden_size x hidden_size"""
    queries = config.num_attention_heads * config.head_dim
    over = 2 * config.hidden_size * (config.hidden_size - queries)
    return _count(config) + config.num_hidden_layers * over


def a_row_for_each_key_head(config):
    """k_proj and v_proj were given one row a head"""
    over = 2 * config.hidden_size * config.num_key_value_heads * (config.head_dim - 1)
    return _count(config) - config.num_hidden_layers * over


def right_from_a_dict(config):
    numbers = config.to_dict()
    hidden, head_dim = numbers["hidden_size"], numbers["head_dim"]
    queries, keys = (numbers[f"num_{kind}_heads"] * head_dim for kind in ("attention", "key_value"))
    total = numbers["vocab_size"] * hidden * (1 + (not numbers["tie_word_embeddings"])) + hidden
    for _ in range(numbers["num_hidden_layers"]):
        total += 2 * hidden * (queries + keys) + 3 * hidden * numbers["intermediate_size"] + 2 * hidden
    return total


def with_biases(config):
    """biases were counted"""
    q, k = config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim
    outputs = q + 2 * k + 2 * config.hidden_size + 2 * config.intermediate_size
    return _count(config) + config.num_hidden_layers * outputs


def a_float(config):
    """a float"""
    return float(_count(config))


def in_millions(config):
    """a float"""
    return _count(config) / 1e6


def changes_the_config(config):
    """changed config in place"""
    count = _count(config)
    config.tie_word_embeddings = not config.tie_word_embeddings
    return count


def forgets_return(config):
    """is a return missing?"""
    _count(config)


def no_embedding(config):
    """the embedding was forgotten"""
    return _count(config, tied=0)


def served_for_key_value_heads(config):
    """So many query heads share one of them"""
    return _count(config, k_and_v=2 * (config.num_attention_heads // config.num_key_value_heads))


def square_o(config):
    """one of q_proj and o_proj was counted as hidden_size x hidden_size"""
    wide = config.hidden_size**2 - config.hidden_size * config.num_attention_heads * config.head_dim
    return _count(config) + config.num_hidden_layers * wide


def not_written(config):
    """not written yet"""
    raise NotImplementedError()
