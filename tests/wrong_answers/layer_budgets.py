"""Answers to layer_budgets. A wrong one's docstring is the phrase that must name its mistake."""

import torch

from labsupport.given import depth as ours


def right_ours(outlier_ratio, sparsity, spread=0.08):
    return ours.layer_budgets(outlier_ratio, sparsity, spread)


def right_smaller_spread(outlier_ratio, sparsity, spread=0.08):
    spread = min(spread, sparsity, 1 - sparsity)
    below = outlier_ratio.mean() - outlier_ratio
    largest = below.abs().max()
    return sparsity + (spread * below / largest if largest > 0 else torch.zeros_like(below))


def right_in_python(outlier_ratio, sparsity, spread=0.08):
    ratios = outlier_ratio.tolist()
    mean = sum(ratios) / len(ratios)
    largest = max(abs(mean - ratio) for ratio in ratios)
    if largest < 1e-9:
        return torch.full_like(outlier_ratio, sparsity)
    room = min(spread, sparsity, 1 - sparsity)
    budgets = [sparsity + room * (mean - ratio) / largest for ratio in ratios]
    return torch.tensor(budgets, device=outlier_ratio.device)


def right_clipped_and_shared(outlier_ratio, sparsity, spread=0.08):
    """What the clipped layers could not take goes to the others, again and again; in float64."""
    ratio = outlier_ratio.double()
    below = ratio.mean() - ratio
    if ratio.max() == ratio.min() or sparsity in (0, 1):
        return torch.full_like(ratio, sparsity)
    budgets = sparsity + spread * below / below.abs().max()
    low, high = max(0.0, sparsity - spread), min(1.0, sparsity + spread)
    for _ in range(100):
        budgets = budgets.clamp(low, high)
        missing = sparsity * len(ratio) - budgets.sum()
        free = (budgets < high) if missing > 0 else (budgets > low)
        if abs(missing) < 1e-12 or not bool(free.any()):
            break
        budgets = budgets + free * missing / free.sum()
    return budgets


def right_by_bisection(outlier_ratio, sparsity, spread=0.08):
    """The widest spread under which no budget leaves the range from 0 to 1."""
    ratio = outlier_ratio.double()
    below = ratio.mean() - ratio
    shape = torch.nan_to_num(below / below.abs().max())

    def fits(room):
        budgets = sparsity + room * shape
        return bool(((budgets >= 0) & (budgets <= 1)).all())

    low, high = 0.0, spread
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return sparsity + low * shape


def turned_round(outlier_ratio, sparsity, spread=0.08):
    """layers with many outliers lose most"""
    return 2 * sparsity - right_smaller_spread(outlier_ratio, sparsity, spread)


def densities(outlier_ratio, sparsity, spread=0.08):
    """these are densities"""
    return 1 - right_smaller_spread(outlier_ratio, sparsity, spread)


def published(outlier_ratio, sparsity, spread=0.08):
    """So does the code published with OWL"""
    span = outlier_ratio.max() - outlier_ratio.min()
    stretched = (outlier_ratio - outlier_ratio.min()) / span * spread * 2
    return 1 - (stretched - stretched.mean() + (1 - sparsity))


def ends_to_ends(outlier_ratio, sparsity, spread=0.08):
    """the lowest ratio got sparsity + spread"""
    span = outlier_ratio.max() - outlier_ratio.min()
    return sparsity + spread - 2 * spread * (outlier_ratio - outlier_ratio.min()) / span


def by_deviation(outlier_ratio, sparsity, spread=0.08):
    """divided by their standard deviation"""
    return sparsity - spread * (outlier_ratio - outlier_ratio.mean()) / outlier_ratio.std()


def in_proportion(outlier_ratio, sparsity, spread=0.08):
    """in proportion to 1 - ratio"""
    left = 1 - outlier_ratio
    return sparsity * left / left.mean()


def not_scaled(outlier_ratio, sparsity, spread=0.08):
    """not brought to the size of `spread`"""
    return sparsity - spread * (outlier_ratio - outlier_ratio.mean())


def ranked(outlier_ratio, sparsity, spread=0.08):
    """the layers were ranked"""
    ranks = outlier_ratio.argsort().argsort() / (len(outlier_ratio) - 1)
    return sparsity + spread * (1 - 2 * ranks)


def uniform(outlier_ratio, sparsity, spread=0.08):
    """every layer got the same budget"""
    return torch.full_like(outlier_ratio, sparsity)


def divides_by_zero(outlier_ratio, sparsity, spread=0.08):
    """0 was divided by 0"""
    below = outlier_ratio.mean() - outlier_ratio
    return sparsity + min(spread, sparsity, 1 - sparsity) * below / below.abs().max()


def leaves_the_range(outlier_ratio, sparsity, spread=0.08):
    """nothing keeps the budgets between 0 and 1"""
    below = outlier_ratio.mean() - outlier_ratio
    return sparsity + spread * torch.nan_to_num(below / below.abs().max())


def clipped_at_the_end(outlier_ratio, sparsity, spread=0.08):
    """the budgets were clipped to 0 and 1 at the end"""
    return leaves_the_range(outlier_ratio, sparsity, spread).clamp(0, 1)


def mended_after_clipping(outlier_ratio, sparsity, spread=0.08):
    """the mean was mended after the clipping"""
    clipped = leaves_the_range(outlier_ratio, sparsity, spread).clamp(0, 1)
    return clipped - clipped.mean() + sparsity


def default_spread(outlier_ratio, sparsity, spread=0.08):
    """`spread` is not used"""
    return right_smaller_spread(outlier_ratio, sparsity)


def a_list(outlier_ratio, sparsity, spread=0.08):
    """of type list"""
    return right_smaller_spread(outlier_ratio, sparsity, spread).tolist()


def largest_without_abs(outlier_ratio, sparsity, spread=0.08):
    """the largest distance was taken without its sign"""
    below = outlier_ratio.mean() - outlier_ratio
    if not below.any():
        return torch.full_like(outlier_ratio, sparsity)
    return sparsity + min(spread, sparsity, 1 - sparsity) * below / below.max()


def from_the_median(outlier_ratio, sparsity, spread=0.08):
    """the median of the ratios was taken for their mean"""
    below = outlier_ratio.median() - outlier_ratio
    if not below.any():
        return torch.full_like(outlier_ratio, sparsity)
    return sparsity + min(spread, sparsity, 1 - sparsity) * below / below.abs().max()


def not_written(outlier_ratio, sparsity, spread=0.08):
    """not written yet"""
    raise NotImplementedError()
