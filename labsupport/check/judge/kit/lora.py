"""What LoRA adds to a frozen layer: the right outputs, and the rank of an update."""

import torch

from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import see

FILLS = see("6.2", "Merging fills the zeros")
LOW = 16  # the highest rank of an update that is taken for LoRA's; the exercise asks for 8
ROUNDING = 1e-5  # of the largest weight of a layer: what float32 adds to the rank of an update


def drawn(source, axes: tuple[int, ...], wide: int, out: int, rank: int) -> dict:
    """Inputs of a layer with LoRA: x [*axes, in], weight [out, in], a [r, in], b [out, r], scaling."""
    return {
        "x": draw.distinct(source, *axes, wide),  # [*axes, in]
        "weight": draw.distinct(source, out, wide),  # [out, in]
        "a": draw.distinct(source, rank, wide),  # [r, in]
        "b": draw.distinct(source, out, rank),  # [out, r]
        "scaling": source.choice((0.5, 2.0, 4.0)),
    }


def outputs(x, weight, a, b, scaling: float) -> torch.Tensor:
    """Float64 [..., out]: what a layer with LoRA computes, summed entry by entry.

    x: [..., in]; weight: [out, in]; a: [r, in]; b: [out, r].
    """
    x, weight, a, b = (value.double() for value in (x, weight, a, b))
    dense = torch.einsum("...i,oi->...o", x, weight)  # [..., out]
    return dense + scaling * torch.einsum("...r,or->...o", torch.einsum("...i,ri->...r", x, a), b)


def numerical_rank(update: torch.Tensor, noise: float) -> int:
    """How many singular values of an update rise above a thousandth of the first, and above the noise.

    update: [out, in], finite. Full where the singular values do not converge.
    """
    try:
        values = torch.linalg.svdvals(update.double())  # [min(out, in)]
    except torch.linalg.LinAlgError:  # pyright: ignore[reportPrivateImportUsage]
        return min(update.shape)
    return int((values > max(1e-3 * float(values[0]), noise)).sum())
