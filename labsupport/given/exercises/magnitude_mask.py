"""2.1 magnitude_mask, made from solutions/02_magnitude_pruning.py."""

import torch
from labsupport.selection import kth_smallest

def magnitude_mask(weight: torch.Tensor, sparsity: float) -> torch.BoolTensor:
    """Which weights stay when the smallest magnitudes of the matrix are dropped.

    weight: [out_features, in_features]. Returns bool of the same shape, True = keep.
    Drops round(sparsity * n) entries; entries that tie at the cut may all go.
    Raises ValueError for a sparsity outside 0 to 1.
    """
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity is {sparsity}: it must be from 0 to 1")
    k = round(sparsity * weight.numel())
    if k == 0:
        return torch.ones_like(weight, dtype=torch.bool)
    magnitude = weight.abs()
    return magnitude > kth_smallest(magnitude.flatten(), k)
