"""7.3 standard_error, made from solutions/07_zero_shot.py."""

import math

def standard_error(accuracy: float, n: int) -> float:
    """The standard error of an accuracy measured on n questions, n at least 2.

    accuracy: a share, 0 to 1, as is the result. Source: lm-evaluation-harness, which takes the sample
    standard deviation of zeros and ones over the root of n.
    """
    return math.sqrt(accuracy * (1 - accuracy) / (n - 1))
