"""Answers to standard_error. A wrong one's docstring is the phrase that must name its mistake."""

import math
import statistics

import torch


def right_formula(accuracy, n):
    return math.sqrt(accuracy * (1 - accuracy) / (n - 1))


def right_power(accuracy, n):
    return ((accuracy - accuracy**2) / (n - 1)) ** 0.5


def right_torch(accuracy, n):
    return torch.tensor(accuracy * (1 - accuracy) / (n - 1), dtype=torch.float64).sqrt().item()


def right_sample_deviation(accuracy, n):
    """The definition: the sample deviation of zeros and ones over the root of n."""
    if accuracy not in (0, 1) and abs(accuracy * n - round(accuracy * n)) < 1e-9:
        ones = round(accuracy * n)
        return statistics.stdev([1.0] * ones + [0.0] * (n - ones)) / math.sqrt(n)
    return right_formula(accuracy, n)


def n_questions(accuracy, n):
    """was taken where n - 1 belongs: the share is estimated"""
    return math.sqrt(accuracy * (1 - accuracy) / n)


def n_plus_one(accuracy, n):
    """n + 1 was taken where n - 1 belongs"""
    return math.sqrt(accuracy * (1 - accuracy) / (n + 1))


def variance(accuracy, n):
    """the square root is missing: this is the variance"""
    return accuracy * (1 - accuracy) / (n - 1)


def variance_over_n(accuracy, n):
    """and n stands where n - 1 belongs"""
    return accuracy * (1 - accuracy) / n


def deviation(accuracy, n):
    """n was not used"""
    return math.sqrt(accuracy * (1 - accuracy))


def root_of_the_top(accuracy, n):
    """only p (1 - p) is under the root"""
    return math.sqrt(accuracy * (1 - accuracy)) / (n - 1)


def root_of_n(accuracy, n):
    """only n - 1 is under the root"""
    return accuracy * (1 - accuracy) / math.sqrt(n - 1)


def factor_missing(accuracy, n):
    """the factor 1 - p is missing"""
    return math.sqrt(accuracy / (n - 1))


def percentage_points(accuracy, n):
    """this is in percentage points"""
    return 100 * right_formula(accuracy, n)


def interval(accuracy, n):
    """half a 95 % interval"""
    return 1.96 * right_formula(accuracy, n)


def two_errors(accuracy, n):
    """this is two standard errors"""
    return 2 * right_formula(accuracy, n)


def a_tensor(accuracy, n):
    """.item() makes it a Python number"""
    return torch.tensor(right_formula(accuracy, n))


def rounded(accuracy, n):
    """FAILED the report's"""
    return round(right_formula(accuracy, n), 4)


def returns_nothing(accuracy, n):
    """is a return missing?"""
    right_formula(accuracy, n)


def halved(accuracy, n):
    """* 0.5 halves, ** 0.5 takes the root"""
    return (accuracy * (1 - accuracy) / (n - 1)) * 0.5


def cut_to_0(accuracy, n):
    """made 0 of a number below 1"""
    return math.sqrt(accuracy * (1 - accuracy) // (n - 1))


def accuracy_added(accuracy, n):
    """the accuracy was added"""
    return accuracy + right_formula(accuracy, n)


def no_brackets(accuracy, n):
    """brackets are missing"""
    return math.sqrt(accuracy * (1 - accuracy) / n - 1)


def not_written(accuracy, n):
    """not written yet"""
    raise NotImplementedError()
