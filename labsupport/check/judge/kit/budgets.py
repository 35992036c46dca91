"""Budgets of layers by their outliers, and what mistakes give instead."""

import torch

from labsupport.check.judge.kit.causes import see
from labsupport.check.judge.kit.shares import SLACK

RULE = see("10.3", "From a ratio to a budget")
EDGE = see("10.3", "At the ends of the range")
SPREAD = 0.08  # the default


def alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two rows of budgets are equal up to rounding."""
    return one.shape == other.shape and torch.allclose(
        one.double(), other.double(), rtol=0, atol=SLACK, equal_nan=True
    )


def budgets(outlier_ratio: torch.Tensor, sparsity: float, spread: float = SPREAD) -> torch.Tensor:
    """The budgets without regard to 0 and 1, float64 [layers]; NaN for equal ratios."""
    below = outlier_ratio.double().mean() - outlier_ratio.double()  # above 0: fewer outliers than the mean
    return sparsity + spread * below / below.abs().max()


def mistakes(
    outlier_ratio: torch.Tensor, sparsity: float, spread: float = SPREAD
) -> list[tuple[torch.Tensor, str]]:
    """The budgets that each mistake gives, float64 [layers], and the sentence that names it."""
    ratio = outlier_ratio.double()
    right, range_of = budgets(ratio, sparsity, spread), ratio.max() - ratio.min()
    from_0_to_1 = (ratio - ratio.min()) / range_of
    stretched = 2 * spread * from_0_to_1
    density = 1 - sparsity
    ranks = ratio.argsort().argsort().double() / max(len(ratio) - 1, 1)
    names_density = f"It looks as if these are densities, the shares that stay. A budget is what goes, {RULE}"
    published = (
        "It looks as if the range of the ratios was stretched to 2 * spread and then centred. So does the "
        "code published with OWL, and with skewed ratios one layer ends further than `spread` from the "
        f"sparsity. Divide by the largest distance from the mean, {RULE}"
    )
    deviation = (
        "It looks as if the distances were divided by their standard deviation. Some layer is further than "
        f"one of those: divide by the largest distance, {RULE}"
    )
    unscaled = (
        "It looks as if the distances were not brought to the size of `spread`: divide them by the largest "
        f"of them first, {RULE}"
    )
    below = ratio.mean() - ratio  # [layers]
    median = ratio.median() - ratio
    one_side = (
        "It looks as if the largest distance was taken without its sign: below.abs().max(). The layer "
        f"furthest from the mean may lie above it, {RULE}"
    )
    return [
        (sparsity + spread * below / below.max(), one_side),
        (sparsity + spread * median / median.abs().max(),
         f"It looks as if the median of the ratios was taken for their mean, {RULE}"),
        (2 * sparsity - right,
         f"It looks as if layers with many outliers lose most: the sign is turned round, {RULE}"),
        (1 - right, names_density),
        (density + right - sparsity, names_density),
        (1 - (stretched - stretched.mean() + density), published),
        (stretched - stretched.mean() + sparsity,
         f"It looks as if layers with many outliers lose most: the sign is turned round, {RULE}"),
        (sparsity + spread - stretched,
         "It looks as if the lowest ratio got sparsity + spread and the highest sparsity - spread. Then the "
         f"mean is not the sparsity: begin with the distances from the mean ratio, {RULE}"),
        (sparsity - spread * (ratio - ratio.mean()) / ratio.std(), deviation),
        (sparsity - spread * (ratio - ratio.mean()) / ratio.std(correction=0), deviation),
        (sparsity * (1 - ratio) / (1 - ratio).mean(),
         f"It looks as if the budgets are in proportion to 1 - ratio: then `spread` is not used, {RULE}"),
        (sparsity - (ratio - ratio.mean()), unscaled),
        (sparsity - spread * (ratio - ratio.mean()), unscaled),
        (sparsity + spread * (1 - 2 * ranks),
         f"It looks as if the layers were ranked. The distances themselves count, not their order, {RULE}"),
        (torch.full_like(ratio, sparsity), "It looks as if every layer got the same budget."),
    ]  # fmt: skip
