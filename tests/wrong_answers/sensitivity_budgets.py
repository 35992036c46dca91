"""Answers to sensitivity_budgets. A wrong one's docstring is the phrase that must name its mistake."""

import torch


def right_by_bisection(rise, sizes, sparsity):
    values = (sizes / rise).double() ** (1 / 3)
    low, high = 0.0, 1 / values.min().item()
    for _ in range(100):
        middle = (low + high) / 2
        dropped = ((middle * values).clamp(max=1) * sizes).sum()
        low, high = (middle, high) if dropped < sparsity * sizes.sum() else (low, middle)
    return (high * values).clamp(max=1)


def right_sorted_in_python(rise, sizes, sparsity):
    """The easiest groups first: each is full, or from it on all get their proportion."""
    rises, counts = rise.tolist(), sizes.tolist()
    ease = [(count / each) ** (1 / 3) for each, count in zip(rises, counts, strict=True)]
    order = sorted(range(len(ease)), key=lambda group: -ease[group])
    left, budgets = sparsity * sum(counts), [1.0] * len(ease)
    for place, group in enumerate(order):
        rest = sum(ease[other] * counts[other] for other in order[place:])
        if ease[group] * left / rest <= 1:
            for other in order[place:]:
                budgets[other] = ease[other] * left / rest
            break
        left -= counts[group]
    return torch.tensor(budgets, device=rise.device)


def right_clipped_again_and_again(rise, sizes, sparsity):
    """Clip, and scale those below 1, until the mean fits."""
    weights = sizes / sizes.sum()
    budgets = (1e-6 * (sizes / rise) ** (1 / 3)).double() if sparsity else torch.zeros_like(rise)
    for _ in range(len(rise) + 1 if sparsity else 0):
        free = budgets < 1
        if not free.any():
            break
        missing = sparsity - weights[~free].sum()
        budgets[free] *= missing / (weights * budgets)[free].sum()
        budgets.clamp_(max=1)
    return budgets


def _shared(values, sizes, sparsity):
    """Numbers in this proportion with the right mean, above 1 as well."""
    return values * sparsity * sizes.sum() / (values * sizes).sum()


def whole_rise(rise, sizes, sparsity):
    """the rise of a whole group was taken"""
    return _shared(rise ** (-1 / 3), sizes, sparsity)


def no_sizes_at_all(rise, sizes, sparsity):
    """the rise of a whole group was taken"""
    values = rise ** (-1 / 3)
    return values * sparsity / values.mean()


def plain_mean(rise, sizes, sparsity):
    """every group counts the same in the mean"""
    values = (sizes / rise) ** (1 / 3)
    return values * sparsity / values.mean()


def no_root(rise, sizes, sparsity):
    """the root is missing"""
    return _shared(sizes / rise, sizes, sparsity)


def square_root(rise, sizes, sparsity):
    """the square root was taken"""
    return _shared((sizes / rise).sqrt(), sizes, sparsity)


def turned_round(rise, sizes, sparsity):
    """the groups that suffer most lose most"""
    return _shared((rise / sizes) ** (1 / 3), sizes, sparsity)


def densities(rise, sizes, sparsity):
    """these are the shares that stay"""
    return 1 - right_by_bisection(rise, sizes, sparsity).float()


def kept_in_proportion(rise, sizes, sparsity):
    """the shares that stay were made proportional"""
    return 1 - _shared((rise / sizes) ** (1 / 3), sizes, 1 - sparsity)


def times_size(rise, sizes, sparsity):
    """the rise was multiplied by the size"""
    return _shared((rise * sizes) ** (-1 / 3), sizes, sparsity)


def not_scaled(rise, sizes, sparsity):
    """the right proportions, and not the right size"""
    return (sizes / rise) ** (1 / 3)


def sums_to_sparsity(rise, sizes, sparsity):
    """the right proportions, and not the right size"""
    values = (sizes / rise) ** (1 / 3)
    return sparsity * values / values.sum()


def uniform(rise, sizes, sparsity):
    """every group got the same budget"""
    return torch.full_like(rise, sparsity)


def above_one(rise, sizes, sparsity):
    """nothing keeps the budgets at 1 or below"""
    return _shared((sizes / rise) ** (1 / 3), sizes, sparsity)


def clipped(rise, sizes, sparsity):
    """the budgets were clipped to 1 and left so"""
    return above_one(rise, sizes, sparsity).clamp(max=1)


def scaled_after_clipping(rise, sizes, sparsity):
    """all budgets were scaled again after the clipping"""
    return _shared(clipped(rise, sizes, sparsity), sizes, sparsity)


def shared_evenly(rise, sizes, sparsity):
    """shared out evenly"""
    budgets = clipped(rise, sizes, sparsity)
    free = budgets < 1
    if free.any():
        missing = sparsity * sizes.sum() - (budgets * sizes).sum()
        budgets[free] += missing / sizes[free].sum()
    return budgets


def clipped_once(rise, sizes, sparsity):
    """groups were clipped once"""
    values = (sizes / rise) ** (1 / 3)
    full = above_one(rise, sizes, sparsity) >= 1
    if full.all() or not full.any():
        return clipped(rise, sizes, sparsity)
    left = sparsity * sizes.sum() - sizes[full].sum()
    return torch.where(full, 1.0, values * left / (values * sizes)[~full].sum())


def changes_rise(rise, sizes, sparsity):
    """changed rise in place"""
    return right_by_bisection(rise.clone(), sizes, sparsity).float().mul_(rise.div_(rise))


def a_list(rise, sizes, sparsity):
    """of type list"""
    return right_by_bisection(rise, sizes, sparsity).float().tolist()


def not_written(rise, sizes, sparsity):
    """not written yet"""
    raise NotImplementedError()
