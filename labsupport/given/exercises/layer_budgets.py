"""10.3 layer_budgets, made from solutions/10_depth.py."""

import torch

def layer_budgets(outlier_ratio: torch.Tensor, sparsity: float, spread: float = 0.08) -> torch.Tensor:
    """A sparsity for every layer, lower where outliers are many: float32 [layers].

    outlier_ratio: float32 [layers]; sparsity: the mean of the budgets, 0 to 1; spread: how far a budget may be
    from it. All budgets lie from 0 to 1. Source: Yin et al. 2024, section 3.
    """
    if outlier_ratio.min() == outlier_ratio.max():
        return torch.full_like(outlier_ratio, sparsity)
    below = outlier_ratio.mean() - outlier_ratio  # [layers], above 0 where outliers are few
    spread = min(spread, sparsity, 1 - sparsity)
    return sparsity + spread * below / below.abs().max()
