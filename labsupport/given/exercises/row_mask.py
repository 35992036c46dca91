"""4.2 row_mask, made from solutions/04_wanda_pruning.py."""

import torch
from labsupport.selection import kth_smallest

def row_mask(score: torch.Tensor, sparsity: float) -> torch.BoolTensor:
    """Which weights stay when every output row drops its lowest scores.

    score: [out_features, in_features]. Returns bool of the same shape, True = keep.
    Each row drops round(sparsity * in_features) entries; entries that tie at the cut may all go.
    Raises ValueError for a sparsity outside 0 to 1.
    """
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity is {sparsity}: it must be from 0 to 1")
    k = round(sparsity * score.shape[1])
    if k == 0:
        return torch.ones_like(score, dtype=torch.bool)
    return score > kth_smallest(score, k)  # [out, in] > [out, 1]
