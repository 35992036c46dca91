"""Magnitude masks of a whole model, and the row-wise selection that all masks use."""

import numpy as np
import torch
from torch import nn

from labsupport.linears import pruned_linears
from labsupport.selection import BLOCK, partial_selection, selection_on_cuda

FROM = 3  # the first lab that is given this file
ANSWERS = ("magnitude_mask", "prune_magnitude", "global_magnitude_masks", "row_mask")


def magnitude_masks(model: nn.Module, sparsity: float) -> dict[str, torch.Tensor]:
    """Masks by full name that drop the smallest magnitudes of each matrix, and all ties at the cut."""
    return {
        name: kept(linear.weight.detach().abs().flatten()[None], sparsity).view(linear.weight.shape)
        for name, linear in pruned_linears(model).items()
    }


def kept(score: torch.Tensor, sparsity: float) -> torch.Tensor:
    """Bool, True = keep: every row of score [rows, n] drops its round(sparsity * n) lowest entries."""
    k = round(sparsity * score.shape[1])
    if k == 0:
        return torch.ones_like(score, dtype=torch.bool)
    score = score.detach()
    if score.is_cuda:
        return score > selection_on_cuda(score, k)
    values = score.float().numpy()
    keep = np.empty(values.shape, dtype=bool)
    step = max(1, BLOCK // values.shape[1])
    for start in range(0, len(values), step):
        rows = values[start : start + step]
        np.greater(rows, partial_selection(rows, k), out=keep[start : start + step])
    return torch.from_numpy(keep)
