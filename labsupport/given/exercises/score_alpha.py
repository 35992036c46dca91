"""4.5 score_alpha, made from solutions/04_wanda_pruning.py."""

import torch

def score_alpha(weight: torch.Tensor, input_norm: torch.Tensor, alpha: float) -> torch.Tensor:
    """The magnitude of every weight times a power of the norm of its input: 0 is magnitude, 1 is Wanda.

    weight: [out_features, in_features]; input_norm: float32 [in_features], not negative; alpha: 0 or more.
    Returns [out_features, in_features]. A norm of 0 makes the factor 0, and 1 where alpha is 0.
    """
    return weight.abs() * input_norm**alpha
