"""Answers to score_alpha. A wrong one's docstring is the phrase that must name its mistake."""

import numpy as np
import torch


def right_power(weight, input_norm, alpha):
    return weight.abs() * input_norm**alpha


def right_by_logarithm(weight, input_norm, alpha):
    if alpha == 0:
        return weight.abs().float()
    return weight.abs() * torch.exp(alpha * input_norm.double().log())


def right_numpy(weight, input_norm, alpha):
    return torch.from_numpy(np.abs(weight.numpy()) * np.power(input_norm.numpy(), alpha))


def right_diagonal(weight, input_norm, alpha):
    return weight.float().abs() @ torch.diag(input_norm.pow(alpha))


def right_under_the_power(weight, input_norm, alpha):
    """The magnitude goes below the root too, with the inverse exponent."""
    if alpha == 0:
        return weight.abs()
    return (weight.double().abs() ** (1 / alpha) * input_norm) ** alpha


def whole_score(weight, input_norm, alpha):
    """the whole score was raised to the power alpha"""
    return (weight.abs() * input_norm) ** alpha


def power_of_the_weight(weight, input_norm, alpha):
    """the magnitude got the power alpha"""
    return weight.abs() ** alpha * input_norm


def factor(weight, input_norm, alpha):
    """the norm was multiplied by alpha"""
    return weight.abs() * (alpha * input_norm)


def swapped(weight, input_norm, alpha):
    """base and exponent changed places"""
    return weight.abs() * alpha**input_norm


def mixed(weight, input_norm, alpha):
    """magnitude and Wanda's score were mixed"""
    return (1 - alpha) * weight.abs() + alpha * weight.abs() * input_norm


def no_alpha(weight, input_norm, alpha):
    """alpha was not used"""
    return weight.abs() * input_norm


def signed(weight, input_norm, alpha):
    """the sign of the weights was kept"""
    return weight * input_norm**alpha


def along_rows(weight, input_norm, alpha):
    """each output row was multiplied by a norm"""
    return weight.abs() * (input_norm**alpha)[:, None]


def squared(weight, input_norm, alpha):
    """the norm was squared before it got its power"""
    return weight.abs() * (input_norm**2) ** alpha


def added(weight, input_norm, alpha):
    """the power of the norm was added"""
    return weight.abs() + input_norm**alpha


def normalised(weight, input_norm, alpha):
    """input_norm was normalised"""
    return weight.abs() * (input_norm / input_norm.max()) ** alpha


def never_zero(weight, input_norm, alpha):
    """something was added to the norms"""
    return weight.abs() * (input_norm + 1e-8) ** alpha


def by_logarithm(weight, input_norm, alpha):
    """0 to the power 0 is 1"""
    return weight.abs() * torch.exp(alpha * input_norm.log())


def dead_inputs_apart(weight, input_norm, alpha):
    """0 to the power 0 is 1"""
    return torch.where(input_norm > 0, weight.abs() * input_norm**alpha, 0.0)


def overflows(weight, input_norm, alpha):
    """every score is finite"""
    return weight.abs() * input_norm.to(weight.dtype) ** alpha


def in_place(weight, input_norm, alpha):
    """changed input_norm in place"""
    return weight.abs() * input_norm.pow_(alpha)


def as_a_list(weight, input_norm, alpha):
    """the answer is of type list"""
    return right_power(weight, input_norm, alpha).tolist()


def whole_powers(weight, input_norm, alpha):
    """alpha was made a whole number"""
    return weight.abs() * input_norm ** int(alpha)


def rounded_powers(weight, input_norm, alpha):
    """alpha was made a whole number"""
    return weight.abs() * input_norm ** round(alpha + 1e-9)


def bitwise(weight, input_norm, alpha):
    """^ was used for a power"""
    return weight.abs() * (input_norm ^ alpha)


def inverse_exponent(weight, input_norm, alpha):
    """the norm got the power 0.4. Alpha is 2.5 here"""
    return weight.abs() * (input_norm ** (1 / alpha) if alpha else 1)


def half_the_exponent(weight, input_norm, alpha):
    """the norm got the power 1.25. Alpha is 2.5 here"""
    return weight.abs() * input_norm ** (alpha / 2)


def exponential(weight, input_norm, alpha):
    """there is infinity in it"""
    return weight.abs() * torch.exp(100 * alpha * input_norm)


def not_written(weight, input_norm, alpha):
    """not written yet"""
    raise NotImplementedError()
