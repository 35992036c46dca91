"""The likely mistakes behind wrong slices of coupled matrices, in the MLP and in attention."""

from collections.abc import Iterator
from itertools import permutations

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.ask.fingerprints import AXIS
from labsupport.check.judge.kit.causes import Named
from labsupport.check.judge.kit.slices import found, named, wanted


def causes(names: tuple[str, ...], inputs: dict, answer: Answer, pointer: str) -> Iterator[Named]:
    """Mistakes: zeros, the removed slices, another order, a whole matrix. pointer: to the lab's section."""
    matrices, right = named(names, answer.value), wanted(names, inputs)
    if not matrices:
        return
    places = {name: found(matrices[name], inputs[name], AXIS[name]) for name in names}
    if places == right:
        return
    kinds = {matrix.dtype for matrix in matrices.values()}
    if kinds <= {inputs[name].dtype for name in names} and _exchanged(names, inputs, list(matrices.values())):
        yield f"The slices are right, their order is not: return {', '.join(names)}, {pointer}"
    whole = [name for name in names if matrices[name].shape == inputs[name].shape]
    if len(whole) == len(names):
        if any(bool((matrices[name] == 0).any()) for name in names):
            yield (
                "It looks as if the removed ones were set to zero. Zeros take as much memory and time as "
                f"any number: slices are smaller, {pointer}"
            )
        yield f"It looks as if nothing was removed, {pointer}"
    crossed = [name for name in names if _sliced_along(matrices[name], inputs[name], 1 - AXIS[name])]
    if crossed:
        line, other = ("row", "column") if AXIS[crossed[0]] else ("column", "row")
        yield (
            f"It looks as if {line}s of {' and '.join(crossed)} were kept. There a structure owns a "
            f"{other}, {pointer}\nTry {crossed[0]}.shape before and after: which number should shrink?"
        )
    count = {name: inputs[name].shape[AXIS[name]] for name in names}
    if all(places[name] == [i for i in range(count[name]) if i not in right[name]] for name in names):
        yield f"It looks as if the others were kept: `keep` names what stays, {pointer}"
    if all(sorted(places[name]) == right[name] for name in names):
        yield f"It looks as if the order was lost: what stays keeps the order it had, {pointer}"
    if whole and all(places[name] == right[name] for name in names if name not in whole):
        yield f"It looks as if {' and '.join(whole)} stayed whole: coupled ones shrink together, {pointer}"


def _exchanged(names: tuple[str, ...], inputs: dict, matrices: list[torch.Tensor]) -> bool:
    """Whether these are the right slices, each matrix once, in another order."""
    places = wanted(names, inputs)
    right = [inputs[name].index_select(AXIS[name], torch.tensor(places[name])) for name in names]
    return any(
        all(torch.equal(one, other) for one, other in zip(matrices, order, strict=True))
        for order in permutations(right)
    )


def _sliced_along(matrix: torch.Tensor, dense: torch.Tensor, axis: int) -> bool:
    """Whether a matrix [any, any] is fewer slices of the dense one, [out, in], along this axis."""
    return matrix.shape[axis] < dense.shape[axis] and -1 not in found(matrix, dense, axis)
