"""The likely mistakes behind a weight that gptq_layer rounded, lab 09."""

from collections.abc import Iterator

import torch

from labsupport.check.judge.kit import grids
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.open_columns import damped, inverses
from labsupport.check.judge.kit.rounded_columns import Ends, Two, Walk, nearest, own_ends, to_nearest, walked
from labsupport.check.judge.kit.sparsegpt_causes import COLUMNS, wrong_inverses

ROUNDING = see("9.5", "Rounding in the place of dropping")
GRID = see("9.5", "A grid for each group")


def right(inputs: dict) -> Walk:
    """The walk with every weight rounded to the nearest value of its grid."""
    bits, h = inputs["bits"], damped(inputs["hessian"], inputs["damp"])
    return walked(inputs["weight"], inverses(h), inputs["group"], to_nearest(bits))


def mistakes(inputs: dict) -> Iterator[tuple[torch.Tensor, Named]]:
    """The weight [out, in] that each mistake comes to, and its name."""
    weight, bits, group = inputs["weight"].double(), inputs["bits"], inputs["group"]
    alone = "no other weight moved to make up for what rounding took: this is rounding to nearest alone"
    yield grids.rounded(weight, bits, group), f"{alone}, {ROUNDING}"
    row = weight.shape[1]
    yield grids.rounded(weight, bits, row), f"{alone}, and one grid serves a whole row, {ROUNDING}"
    for rows, said in wrong_inverses(inputs):
        yield walked(weight, rows, group, to_nearest(bits)).rounded, said
    left = "the columns left of j moved, too. They are settled, and only those right of j may move"
    yield _with_left_ones(inputs), f"{left}, {COLUMNS}"
    yield from _of_grids(inputs)
    yield from _of_codes(inputs)


def _with_left_ones(inputs: dict) -> torch.Tensor:
    """All columns move by obs_drop's formula, with the whole inverse: [out, in]."""
    new, bits, group = inputs["weight"].double().clone(), inputs["bits"], inputs["group"]
    whole = torch.linalg.inv(damped(inputs["hessian"], inputs["damp"]))  # [in, in]
    for j in range(len(whole)):
        if j % group == 0:
            low, high = own_ends(new, j, j + group)
        error = new[:, j] - nearest(new[:, j], low[:, 0], high[:, 0], bits)  # [out]
        new -= error[:, None] / whole[j, j] * whole[j]
    return new


def _of_grids(inputs: dict) -> Iterator[tuple[torch.Tensor, Named]]:
    """Grids from other weights than those of the group, as they stand when it begins."""
    weight, bits, group, block = inputs["weight"].double(), inputs["bits"], inputs["group"], inputs["block"]
    rows = inverses(damped(inputs["hessian"], inputs["damp"]))

    def by(ends: Ends, group: int = group) -> torch.Tensor:
        return walked(weight, rows, group, to_nearest(bits), ends).rounded

    def as_block_began(new: torch.Tensor, start: int, stop: int) -> Two:
        if start % block == 0:
            kept[:] = [new.clone()]
        return own_ends(kept[0], start, stop)

    def around_zero(new: torch.Tensor, start: int, stop: int) -> Two:
        most = new[:, start:stop].abs().amax(dim=1, keepdim=True)  # [out, 1]
        return -most, most

    def to_zero(new: torch.Tensor, start: int, stop: int) -> Two:
        low, high = own_ends(new, start, stop)
        return low.clamp_max(0), high.clamp_min(0)

    def of_all_rows(new: torch.Tensor, start: int, stop: int) -> Two:
        low, high = new[:, start:stop].aminmax()
        return low.expand(len(new), 1), high.expand(len(new), 1)

    kept: list[torch.Tensor] = []
    late = f"before its weights had moved. It is made when the first column of the group is reached, {GRID}"
    yield by(lambda _, *place: own_ends(weight, *place)), f"the grid of a group was made {late}"
    yield by(as_block_began), f"the grids of a block were all made when it began. A grid was then made {late}"
    anew = by(lambda new, j, _: own_ends(new, j, j - j % group + group), group=1)
    yield anew, f"a grid was made anew at each column. A group keeps its grid to its last column, {GRID}"
    yield by(of_all_rows), f"all rows share a grid. Each row of a group has its own, {GRID}"
    long = f"one grid serves a whole row. Each {group} inputs have their own, {GRID}"
    yield by(own_ends, group=weight.shape[1]), Cause(long, "one grid a row")
    ends = "This one begins at the smallest weight and ends at the largest"
    yield by(to_zero), f"the grid was stretched to 0. {ends}, {GRID}"
    yield by(around_zero), f"the grid lies around 0, alike on both sides. {ends}, {GRID}"


def _of_codes(inputs: dict) -> Iterator[tuple[torch.Tensor, Named]]:
    """Another value than the nearest of the right grid, or none."""
    weight, bits, group = inputs["weight"].double(), inputs["bits"], inputs["group"]
    rows, last = inverses(damped(inputs["hessian"], inputs["damp"])), 2**bits - 1

    def by(turned, last: int = last, clamped: bool = True) -> torch.Tensor:
        def rounding(_, values: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
            step = ((high - low) / last).clamp_min(1e-30)
            codes = turned((values - low) / step)
            return low + step * (codes.clamp(0, 2**bits - 1) if clamped else codes)

        return walked(weight, rows, group, rounding).rounded

    beyond = "A weight that moved beyond its grid gets the nearest end"
    yield by(torch.round, clamped=False), f"the codes were not clamped. {beyond}, {GRID}"
    steps = f"{2**bits} steps were made. {2**bits} values have {last} steps between them, {GRID}"
    yield by(torch.round, last=2**bits), Cause(steps, "2**bits steps")
    yield by(torch.floor), "the codes were cut to whole numbers. Round to the nearest one."
    walk = right(inputs)
    codes = (walk.rounded - walk.low) / ((walk.high - walk.low) / last).clamp_min(1e-30)  # [out, in]
    yield codes, "the codes were returned, and not the values that they stand for."
    back = "the weights moved, and no value was written back: a column stays what it became by rounding"
    yield walk.stood, f"{back}, {ROUNDING}"
