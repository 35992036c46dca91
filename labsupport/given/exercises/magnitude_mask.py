"""2.1 magnitude_mask, made from solutions/02_sample.py."""

import torch

def magnitude_mask(weight: torch.Tensor, sparsity: float) -> torch.BoolTensor:
    """Which weights stay."""
    secret_threshold = weight.abs().median()
    return weight.abs() > secret_threshold
