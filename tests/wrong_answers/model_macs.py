"""Answers to model_macs. A wrong one's docstring is the phrase that must name its mistake."""

import torch
from transformers import LlamaForCausalLM


def _attention(config, kv_heads=None, head_dim=None, o_proj=True):
    head_dim = head_dim or config.head_dim
    queries = config.num_attention_heads * head_dim
    keys = (kv_heads or config.num_key_value_heads) * head_dim
    return config.hidden_size * (queries + 2 * keys + (queries if o_proj else 0))


def _mlp(config, matrices=3):
    return matrices * config.hidden_size * config.intermediate_size


def _head(config):
    return config.hidden_size * config.vocab_size


def right_closed_form(config, tokens):
    return tokens * (config.num_hidden_layers * (_attention(config) + _mlp(config)) + _head(config))


def right_from_modules(config, tokens):
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    linears = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    return sum(linear.in_features * linear.out_features * tokens for linear in linears)


def right_layer_by_layer(config, tokens):
    total = config.vocab_size * config.hidden_size * tokens
    for _ in range(config.num_hidden_layers):
        total += (_attention(config) + _mlp(config)) * tokens
    return total


def flops(config, tokens):
    """FLOPs were counted"""
    return 2 * right_closed_form(config, tokens)


def no_grouped_queries(config, tokens):
    """grouped-query attention was ignored: k_proj and v_proj were taken to be as wide as q_proj"""
    layer = _attention(config, kv_heads=config.num_attention_heads) + _mlp(config)
    return tokens * (config.num_hidden_layers * layer + _head(config))


def no_head(config, tokens):
    """lm_head was left out. It is a Linear layer"""
    return right_closed_form(config, tokens) - tokens * _head(config)


def no_head_when_tied(config, tokens):
    """lm_head was left out. It uses the embedding's weight"""
    head = 0 if config.tie_word_embeddings else _head(config)
    return right_closed_form(config, tokens) - tokens * _head(config) + tokens * head


def embedding_too(config, tokens):
    """the embedding was counted"""
    return right_closed_form(config, tokens) + tokens * _head(config)


def embedding_once(config, tokens):
    """the embedding was counted"""
    return right_closed_form(config, tokens) + _head(config)


def parameters_times_tokens(config, tokens):
    """all parameters were counted"""
    with torch.device("meta"):
        return tokens * sum(weight.numel() for weight in LlamaForCausalLM(config).parameters())


def no_up_proj(config, tokens):
    """a Linear layer of the MLP is missing"""
    layer = _attention(config) + _mlp(config, matrices=2)
    return tokens * (config.num_hidden_layers * layer + _head(config))


def no_o_proj(config, tokens):
    """a Linear layer of the attention is missing"""
    layer = _attention(config, o_proj=False) + _mlp(config)
    return tokens * (config.num_hidden_layers * layer + _head(config))


def one_of_k_and_v(config, tokens):
    """a Linear layer of the attention is missing"""
    keys = config.num_key_value_heads * config.head_dim * config.hidden_size
    return right_closed_form(config, tokens) - tokens * config.num_hidden_layers * keys


def no_tokens(config, tokens):
    """the tokens were forgotten"""
    return right_closed_form(config, 1)


def one_layer(config, tokens):
    """decoder layers was counted"""
    return tokens * (_attention(config) + _mlp(config) + _head(config))


def head_in_every_layer(config, tokens):
    """lm_head was counted once for each decoder layer"""
    return tokens * config.num_hidden_layers * (_attention(config) + _mlp(config) + _head(config))


def no_head_dim(config, tokens):
    """the width of a head was taken to be hidden_size / heads"""
    head_dim = config.hidden_size // config.num_attention_heads
    layer = _attention(config, head_dim=head_dim) + _mlp(config)
    return tokens * (config.num_hidden_layers * layer + _head(config))


def square_queries(config, tokens):
    """q_proj and o_proj were taken to be hidden_size x hidden_size"""
    queries = config.num_attention_heads * config.head_dim
    over = 2 * config.hidden_size * (config.hidden_size - queries)
    return right_closed_form(config, tokens) + tokens * config.num_hidden_layers * over


def biases_too(config, tokens):
    """biases were counted"""
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    linears = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    return tokens * sum(weight.numel() for linear in linears for weight in linear.parameters())


def attention_products_too(config, tokens):
    """attention's own products were counted"""
    products = 2 * config.num_attention_heads * config.head_dim * tokens**2
    return right_closed_form(config, tokens) + config.num_hidden_layers * products


def a_float(config, tokens):
    """it is a float"""
    return right_closed_form(config, tokens) / 1


def nearly(config, tokens):
    """the sum of linear_macs over all Linear layers"""
    return right_closed_form(config, tokens) + tokens


def forgets_return(config, tokens):
    """is a return missing?"""
    right_closed_form(config, tokens)


def not_written(config, tokens):
    """not written yet"""
    raise NotImplementedError()
