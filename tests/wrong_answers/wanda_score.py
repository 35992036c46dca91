"""Answers to wanda_score. A wrong one's docstring is the phrase that must name its mistake."""

import numpy as np
import torch


def right_broadcast(weight, input_norm):
    return weight.abs() * input_norm


def right_reshaped(weight, input_norm):
    return torch.abs(weight) * input_norm.reshape(1, -1).float()


def right_diagonal(weight, input_norm):
    return weight.abs().float() @ torch.diag(input_norm)


def right_numpy(weight, input_norm):
    return torch.from_numpy(np.abs(weight.numpy()) * input_norm.numpy())


def right_double(weight, input_norm):
    return weight.double().abs() * input_norm.double()


def right_abs_last(weight, input_norm):
    return (weight * input_norm).abs()


def along_rows(weight, input_norm):
    """each output row was multiplied by a norm"""
    return weight.abs() * input_norm[:, None]


def transposed(weight, input_norm):
    """each output row was multiplied by a norm"""
    return (weight.abs().T * input_norm).T


def signed(weight, input_norm):
    """the sign of the weights was kept"""
    return weight * input_norm


def squared_norm(weight, input_norm):
    """the norm was squared"""
    return weight.abs() * input_norm**2


def root_of_norm(weight, input_norm):
    """a root was taken of the norm"""
    return weight.abs() * input_norm.sqrt()


def added(weight, input_norm):
    """the norm was added"""
    return weight.abs() + input_norm


def magnitude(weight, input_norm):
    """input_norm was not used"""
    return weight.abs()


def normalised_by_sum(weight, input_norm):
    """input_norm was normalised"""
    return weight.abs() * input_norm / input_norm.sum()


def normalised_by_largest(weight, input_norm):
    """input_norm was normalised"""
    return weight.abs() * (input_norm / input_norm.max())


def squared_weight(weight, input_norm):
    """the weight, or the whole score, was squared"""
    return weight**2 * input_norm


def squared_score(weight, input_norm):
    """the weight, or the whole score, was squared"""
    return (weight * input_norm) ** 2


def in_place(weight, input_norm):
    """changed weight in place"""
    return weight.abs_().mul_(input_norm)


def overflows(weight, input_norm):
    """no score overflows"""
    return weight.abs() * input_norm.to(weight.dtype)


def product(weight, input_norm):
    """yours is (3,)"""
    return weight.abs() @ input_norm


def as_a_list(weight, input_norm):
    """the answer is of type list"""
    return (weight.abs() * input_norm).tolist()


def forgets_return(weight, input_norm):
    """is a return missing?"""
    weight.abs() * input_norm


def one_norm_for_all(weight, input_norm):
    """all inputs got one norm"""
    return weight.abs() * input_norm.mean()


def only_positive(weight, input_norm):
    """weights below 0 score 0"""
    return weight.relu() * input_norm


def not_written(weight, input_norm):
    """not written yet"""
    raise NotImplementedError()
