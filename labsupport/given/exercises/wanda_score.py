"""4.1 wanda_score, made from solutions/04_wanda_pruning.py."""

import torch

def wanda_score(weight: torch.Tensor, input_norm: torch.Tensor) -> torch.Tensor:
    """The Wanda score of every weight: its magnitude times the norm of its input.

    weight: [out_features, in_features]; input_norm: float32 [in_features], not negative.
    Returns [out_features, in_features]. Source: Sun et al. 2024, equation 1.
    """
    return weight.abs() * input_norm
