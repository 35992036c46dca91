"""Answers to linear_macs. A wrong one's docstring is the phrase that must name its mistake."""

import numpy as np
import torch


def right_product(out_features, in_features, tokens):
    return out_features * in_features * tokens


def right_row_by_row(out_features, in_features, tokens):
    one_output = in_features  # one multiplication an input
    one_token = one_output * out_features
    return tokens * one_token


def right_by_a_layer(out_features, in_features, tokens):
    layer = torch.nn.Linear(in_features, out_features, device="meta")
    return layer.weight.numel() * tokens


def flops(out_features, in_features, tokens):
    """FLOPs were counted"""
    return 2 * out_features * in_features * tokens


def additions_too(out_features, in_features, tokens):
    """FLOPs were counted"""
    return (2 * in_features - 1) * out_features * tokens


def no_tokens(out_features, in_features, tokens):
    """the tokens were forgotten"""
    return out_features * in_features


def tokens_twice(out_features, in_features, tokens):
    """the tokens were counted twice"""
    return out_features * in_features * tokens**2


def of_q_k_and_v(out_features, in_features, tokens):
    """each weight multiplies once for each token"""
    return 3 * out_features * in_features * tokens


def with_bias(out_features, in_features, tokens):
    """a bias was counted"""
    return (in_features + 1) * out_features * tokens


def sum_of_sides(out_features, in_features, tokens):
    """the numbers that go in and out were counted"""
    return (in_features + out_features) * tokens


def square_layer(out_features, in_features, tokens):
    """each weight multiplies once for each token"""
    return in_features * in_features * tokens


def a_float(out_features, in_features, tokens):
    """it is a float"""
    return float(out_features * in_features * tokens)


def in_millions(out_features, in_features, tokens):
    """it is a float"""
    return out_features * in_features * tokens / 1e6


def through_a_float(out_features, in_features, tokens):
    """a float was used"""
    return int(float(out_features) * in_features * tokens)


def a_numpy_number(out_features, in_features, tokens):
    """it is of type numpy.int64; int() makes it a Python number"""
    return np.int64(out_features) * np.int64(in_features) * np.int64(tokens)


def a_tensor(out_features, in_features, tokens):
    """.item() makes it a Python number"""
    return torch.ones(out_features, in_features).sum() * tokens


def a_flag(out_features, in_features, tokens):
    """it is of type bool"""
    return True


def negative(out_features, in_features, tokens):
    """every token costs the same"""
    return -out_features * in_features * tokens


def forgets_return(out_features, in_features, tokens):
    """is a return missing?"""
    right_product(out_features, in_features, tokens)


def not_written(out_features, in_features, tokens):
    """not written yet"""
    raise NotImplementedError()
