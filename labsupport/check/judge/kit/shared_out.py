"""Budgets of groups of weights by how much each suffers, and what mistakes give instead."""

from collections.abc import Iterator

import torch

from labsupport.check.judge.kit.causes import see
from labsupport.check.judge.kit.shares import SLACK

RULE = see("2.4", "From a rise to a budget")
FULL = see("2.4", "No group loses more than all")


def alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two rows of budgets are equal up to rounding."""
    return one.shape == other.shape and torch.allclose(one.double(), other.double(), rtol=0, atol=SLACK)


def ease(rise: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """What the budgets are proportional to: 1 over the cube root of the rise per weight, float64 [groups]."""
    return (sizes.double() / rise.double()) ** (1 / 3)


def mean(values: torch.Tensor, sizes: torch.Tensor) -> float:
    """The mean over all weights of a number for each group, [groups]."""
    return float((values.double() * sizes).sum() / sizes.sum())


def scaled(values: torch.Tensor, sizes: torch.Tensor, sparsity: float) -> torch.Tensor:
    """Numbers in this proportion whose mean over all weights is the sparsity, not clipped, [groups]."""
    return values * (sparsity / mean(values, sizes))


def budgets(rise: torch.Tensor, sizes: torch.Tensor, sparsity: float) -> torch.Tensor:
    """The budgets, float64 [groups]: the factor that the mean asks for is found by halving."""
    values = ease(rise, sizes)
    low, high = 0.0, 1 / float(values.min())
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if mean((middle * values).clamp(max=1), sizes) < sparsity else (low, middle)
        )
    return (high * values).clamp(max=1)


def once(rise: torch.Tensor, sizes: torch.Tensor, sparsity: float, in_proportion: bool) -> torch.Tensor:
    """Clipped once: what is left goes to the others, in proportion or evenly, [groups]."""
    first = scaled(ease(rise, sizes), sizes, sparsity)
    free = first < 1
    clipped = first.clamp(max=1)
    missing = sparsity * float(sizes.sum()) - float((clipped * sizes).sum())
    inside = float((clipped * sizes)[free].sum()) if in_proportion else float(sizes[free].sum())
    share = missing / inside
    return torch.where(free, clipped * (1 + share) if in_proportion else clipped + share, clipped)


def mistakes(rise: torch.Tensor, sizes: torch.Tensor, sparsity: float) -> Iterator[tuple[torch.Tensor, str]]:
    """The budgets that each mistake gives where no group is full, float64 [groups], and its sentence."""
    values, alone = ease(rise, sizes), rise.double() ** (-1 / 3)
    right = scaled(values, sizes, sparsity)
    whole = (
        "It looks as if the rise of a whole group was taken. A large group has more to lose: divide its rise "
        f"by its number of weights, {RULE}\nTry rise / sizes."
    )
    yield scaled(alone, sizes, sparsity), whole
    yield alone * sparsity / alone.mean(), whole
    yield (
        values * sparsity / values.mean(),
        "It looks as if every group counts the same in the mean. A group counts by its weights: "
        f"the dropped ones, budget * size, add up to sparsity times all weights, {RULE}",
    )
    yield (
        scaled(values**3, sizes, sparsity),
        f"It looks as if the root is missing: budgets go by 1 over the cube root of rise per weight, {RULE}",
    )
    yield (
        scaled(values**1.5, sizes, sparsity),
        f"It looks as if the square root was taken: the rule has the cube root, {RULE}",
    )
    yield (
        scaled(1 / values, sizes, sparsity),
        f"It looks as if the groups that suffer most lose most: the proportion is turned round, {RULE}",
    )
    yield 1 - right, f"It looks as if these are the shares that stay. A budget is what goes, {RULE}"
    yield (
        1 - scaled(1 / values, sizes, 1 - sparsity),
        "It looks as if the shares that stay were made proportional to the cube root of the rise per weight. "
        f"Here the shares that go are proportional, to 1 over it, {RULE}",
    )
    yield (
        scaled((rise.double() * sizes) ** (-1 / 3), sizes, sparsity),
        f"It looks as if the rise was multiplied by the size: per weight means divided by it, {RULE}",
    )
    unscaled = (
        "It looks as if the numbers have the right proportions, and not the right size: their mean over all "
        f"weights has to be the sparsity, {RULE}"
    )
    yield values, unscaled
    yield values * sparsity / values.sum(), unscaled
    yield values * sparsity / values.max(), unscaled
    yield torch.full_like(values, sparsity), "It looks as if every group got the same budget."
