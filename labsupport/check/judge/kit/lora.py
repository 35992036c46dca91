"""Reference outputs of a frozen layer with LoRA, and the rank of an update."""

import torch

from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import see

FILLS = see("6.2", "Merging fills the zeros")
LOW = 16  # updates up to this rank count as LoRA; the exercise uses 8
ROUNDING = 1e-5  # relative to the largest weight of a layer: noise of float32 in an update


def drawn(source, axes: tuple[int, ...], wide: int, out: int, rank: int) -> dict:
    """Inputs of a layer with LoRA: x [*axes, in], weight [out, in], a [r, in], b [out, r], scaling."""
    return {
        "x": draw.distinct(source, *axes, wide),  # [*axes, in]
        "weight": draw.distinct(source, out, wide),  # [out, in]
        "a": draw.distinct(source, rank, wide),  # [r, in]
        "b": draw.distinct(source, out, rank),  # [out, r]
        "scaling": source.choice((0.25, 4.0, 8.0)),  # not 1 / rank
    }


def outputs(x, weight, a, b, scaling: float) -> torch.Tensor:
    """The output of a layer with LoRA, float64 [..., out].

    x: [..., in]; weight: [out, in]; a: [r, in]; b: [out, r].
    """
    x, weight, a, b = (value.double() for value in (x, weight, a, b))
    dense = torch.einsum("...i,oi->...o", x, weight)  # [..., out]
    return dense + scaling * torch.einsum("...r,or->...o", torch.einsum("...i,ri->...r", x, a), b)


def numerical_rank(update: torch.Tensor, noise: float) -> int:
    """The number of singular values of an update above a thousandth of the first, and above the noise.

    update: [out, in], finite. Full rank if the SVD does not converge.
    """
    try:
        values = torch.linalg.svdvals(update.double())  # [min(out, in)]
    except torch.linalg.LinAlgError:  # pyright: ignore[reportPrivateImportUsage]
        return min(update.shape)
    return int((values > max(1e-3 * float(values[0]), noise)).sum())
