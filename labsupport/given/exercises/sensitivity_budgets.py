"""2.4 sensitivity_budgets, made from solutions/02_magnitude_pruning.py."""

import torch

def sensitivity_budgets(rise: torch.Tensor, sizes: torch.Tensor, sparsity: float) -> torch.Tensor:
    """A sparsity for each group of weights, lower where the loss rises more per weight.

    rise: float32 [groups], of the loss when the group alone is pruned, all above 0; sizes: int64 [groups], the
    weights of each group; sparsity: from 0 to 1, of all weights together. Returns float32 [groups], each from
    0 to 1: proportional to 1 over the cube root of rise / sizes, but 1 for a group that would be above it.
    """
    ease = (sizes / rise) ** (1 / 3)  # [groups]
    full = torch.zeros_like(ease, dtype=torch.bool)
    while True:
        left = sparsity * sizes.sum() - sizes[full].sum()  # weights that the other groups drop
        budgets = torch.where(full, 1.0, ease * left / (ease * sizes)[~full].sum())
        above = budgets > 1
        if not above.any():
            return budgets
        full = full | above
