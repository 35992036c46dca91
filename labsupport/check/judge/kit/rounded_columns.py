"""GPTQ by its definition, for the judge of exercise 9.5: columns are rounded from left to right.

As in open_columns.py the inverse of what is still open is computed for each column by itself, in float64.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

from labsupport.check.judge.kit.open_columns import Inverses

Two = tuple[torch.Tensor, torch.Tensor]
# The weight as it stands [out, in], start and stop of a group -> the ends of its grids, [out, 1] each
Ends = Callable[[torch.Tensor, int, int], Two]
# j, its column [out], the ends of its grids [out] each -> the column rounded
Rounding = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class Walk(NamedTuple):
    """Every weight as it stood when its column was reached, the ends of its grid, and what it became.

    Float64 [out, in] each.
    """

    stood: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    rounded: torch.Tensor


def nearest(values: torch.Tensor, low: torch.Tensor, high: torch.Tensor, bits: int) -> torch.Tensor:
    """The nearest value of a grid of 2**bits values between two ends, all of one shape."""
    step = ((high - low) / (2**bits - 1)).clamp_min(1e-30)
    return low + step * ((values - low) / step).round().clamp(0, 2**bits - 1)


def to_nearest(bits: int) -> Rounding:
    """Each weight becomes the nearest value of its grid."""
    return lambda _, values, low, high: nearest(values, low, high, bits)


def own_ends(new: torch.Tensor, start: int, stop: int) -> Two:
    """The smallest and the largest weight of each row of a group: [out, in] -> [out, 1] each."""
    return new[:, start:stop].amin(dim=1, keepdim=True), new[:, start:stop].amax(dim=1, keepdim=True)


def walked(
    weight: torch.Tensor, rows: Inverses, group: int, rounding: Rounding, ends: Ends = own_ends
) -> Walk:
    """The walk in which each column is rounded, and the columns right of it make up for that.

    weight: [out, in]; rows: `inverses` of the damped Hessian; ends: of a group's grids, when it begins.
    """
    new = weight.double().clone()  # [out, in]
    low, high, rounded = torch.zeros_like(new), torch.zeros_like(new), torch.zeros_like(new)
    for j, row in enumerate(rows):
        if j % group == 0:
            low[:, j : j + group], high[:, j : j + group] = ends(new, j, j + group)
        rounded[:, j] = rounding(j, new[:, j], low[:, j], high[:, j])
        error = (new[:, j] - rounded[:, j]) / row[0]  # [out]
        new[:, j + 1 : j + len(row)] -= error[:, None] * row[1:]
    return Walk(new, low, high, rounded)
