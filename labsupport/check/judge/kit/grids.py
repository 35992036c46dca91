"""The grids of a quantised matrix as the judges compute them: in double precision, group by group."""

import random

import torch


def group_count(inputs: int, group: int) -> int:
    """The number of groups of a row; the last one may be shorter."""
    return -(-inputs // group)


def ends(weight: torch.Tensor, group: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The smallest and the largest weight of every group: [out, in] -> float64 [out, groups] each."""
    parts = [weight.double()[:, start : start + group] for start in range(0, weight.shape[1], group)]
    low, high = ([end(part, dim=1) for part in parts] for end in (torch.amin, torch.amax))
    return torch.stack(low, dim=1), torch.stack(high, dim=1)


def spread(values: torch.Tensor, group: int, inputs: int) -> torch.Tensor:
    """One value a group, repeated for each of its weights: [out, groups] -> float64 [out, in]."""
    return values.double()[:, torch.arange(inputs) // group]


def values(codes: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor, group: int) -> torch.Tensor:
    """The weights that codes stand for: [out, in] and twice [out, groups] -> float64 [out, in]."""
    inputs = codes.shape[1]
    return spread(zero, group, inputs) + spread(scale, group, inputs) * codes.double()


def rounded(weight: torch.Tensor, bits: int, group: int) -> torch.Tensor:
    """The nearest values of each group's own grid: [out, in] -> float64 [out, in]."""
    low, high = (spread(end, group, weight.shape[1]) for end in ends(weight, group))  # [out, in] each
    step = ((high - low) / (2**bits - 1)).clamp_min(1e-30)
    return low + step * ((weight.double() - low) / step).round()


def spans(weight: torch.Tensor, mask: torch.Tensor, group: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The ends of each group of a pruned weight, [out, groups] twice: with its zeros, and without them."""
    low = ends(weight.masked_fill(~mask, torch.inf), group)[0]
    high = ends(weight.masked_fill(~mask, -torch.inf), group)[1]
    return [ends(weight * mask, group), (low, high)]


def off_grid(
    weight: torch.Tensor, between: tuple[torch.Tensor, torch.Tensor], bits: int, group: int
) -> torch.Tensor:
    """How far a group's weights that are not 0 are from a grid between two ends, in steps: [out, groups]."""
    low, high = (spread(end, group, weight.shape[1]) for end in between)  # [out, in] each
    place = (weight.double() - low) / ((high - low) / (2**bits - 1)).clamp_min(1e-30)
    off = torch.where(weight == 0, 0.0, (place - place.round()).abs())  # [out, in]
    return ends(off.nan_to_num(nan=torch.inf), group)[1]


def close(one: torch.Tensor, other: torch.Tensor, relative: float = 1e-5) -> bool:
    """Whether two tensors of one shape agree, up to this share of the largest number of the second."""
    reach = float(other.double().abs().amax()) if other.numel() else 0.0
    return one.shape == other.shape and torch.allclose(
        one.double(), other.double(), rtol=relative, atol=1e-7 * reach
    )


def draw_group(source: random.Random, low: int, step: int) -> list[float]:
    """Four whole numbers around a grid of four values `step` apart, in random order.

    Two lie on it, at its ends; one is above the nearest value and one below. None is halfway between two.
    """
    above = [rest for rest in range(1, step) if 2 * rest < step]
    below = [rest for rest in range(1, step) if 2 * rest > step]
    near = [step * source.randrange(3) + source.choice(rests) for rests in (above, below)]
    numbers = [0, 3 * step, *near]
    source.shuffle(numbers)
    return [float(low + number) for number in numbers]
