"""The masks of labs 02 and 04 for a whole model, where pruning is a means, and the selection behind them."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from labsupport.linears import pruned_linears

BLOCK = 2**16  # entries that are worked on at one time: they stay in the processor's cache
MANY = 2**20  # entries from which on a sample pays


def magnitude_masks(model: nn.Module, sparsity: float) -> dict[str, torch.Tensor]:
    """Masks by full name that drop the smallest magnitudes of each matrix; ties at the cut all go."""
    return {
        name: kept(linear.weight.detach().abs().flatten()[None], sparsity).view(linear.weight.shape)
        for name, linear in pruned_linears(model).items()
    }


def wanda_masks(model: nn.Module, norms: dict[str, torch.Tensor], sparsity: float) -> dict[str, torch.Tensor]:
    """Masks by full name that drop the lowest Wanda scores of each output row; ties at the cut all go.

    norms: what calibration.input_norms measured. Source: Wanda (Sun et al. 2024), equation 1.
    """
    return {name: kept(score, sparsity) for name, score in _scores(model, norms)}


def two_of_four_masks(model: nn.Module, norms: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Masks by full name that keep the 2 highest Wanda scores of every 4 consecutive inputs."""
    masks = {}
    for name, score in _scores(model, norms):
        groups = score.unflatten(1, (-1, 4))  # [out, groups, 4]
        best = groups.sort(dim=2, descending=True, stable=True).indices[:, :, :2]
        masks[name] = torch.zeros_like(groups, dtype=torch.bool).scatter_(2, best, True).flatten(1)
    return masks


def kept(score: torch.Tensor, sparsity: float) -> torch.Tensor:
    """Bool, True = keep: every row of score [rows, n] drops its round(sparsity * n) lowest entries."""
    k = round(sparsity * score.shape[1])
    if k == 0:
        return torch.ones_like(score, dtype=torch.bool)
    score = score.detach()
    if score.is_cuda:
        return score > _cut_on_cuda(score, k)
    values = score.float().numpy()
    keep = np.empty(values.shape, dtype=bool)
    step = max(1, BLOCK // values.shape[1])
    for start in range(0, len(values), step):
        rows = values[start : start + step]
        np.greater(rows, _smallest(rows, k), out=keep[start : start + step])
    return torch.from_numpy(keep)


def kth_smallest(values: torch.Tensor, k: int) -> torch.Tensor:
    """The k-th smallest along the last axis, k counted from 1: [..., n] -> [..., 1].

    What torch.kthvalue finds too; on a CPU partial selection finds it several times faster.
    Raises ValueError for a k outside 1 to n.
    """
    values, n = values.detach(), values.shape[-1]
    if not 1 <= k <= n:
        raise ValueError(f"k is {k}: it must be from 1 to {n}")
    if values.is_cuda:
        return _cut_on_cuda(values.reshape(-1, n), k).view(*values.shape[:-1], 1)
    exact = values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
    return torch.from_numpy(_smallest(exact.numpy(), k)).to(values.dtype)


def _smallest(values: np.ndarray, k: int) -> np.ndarray:
    """The k-th smallest along the last axis: [..., n] -> [..., 1]."""
    found = _by_sample(values.reshape(-1), k) if MANY < values.size == values.shape[-1] else None
    if found is None:
        return np.partition(values, k - 1, axis=-1)[..., k - 1 : k]
    return np.full((*values.shape[:-1], 1), found, dtype=values.dtype)


def _by_sample(values: np.ndarray, k: int) -> np.number | None:
    """The k-th smallest of very many values; None when the sample misled, as it may.

    A sorted sample says between which two values it almost surely lies, so that only the few in
    between are selected from. Source: Floyd and Rivest 1975, Expected time bounds for selection.
    """
    stride = len(values) // BLOCK | 1  # odd, so that no column of a matrix is passed over
    sample = np.sort(values[::stride])
    place, margin = k / len(values) * len(sample), 2 * len(sample) ** 0.5  # 4 standard deviations
    low = sample[max(0, int(place - margin))]
    high = sample[min(len(sample) - 1, int(place + margin))]
    below, between = 0, []
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        under = block < low
        below += np.count_nonzero(under)
        between.append(block[under ^ (block <= high)])
    candidates = np.concatenate(between)
    rank = k - 1 - below
    return np.partition(candidates, rank)[rank] if 0 <= rank < len(candidates) else None


def _cut_on_cuda(score: torch.Tensor, k: int) -> torch.Tensor:
    """The k-th smallest of every row, [rows, n] -> [rows, 1]; kthvalue gives one long row too few threads."""
    if len(score) > 1:
        return score.kthvalue(k, dim=1, keepdim=True).values
    return score.topk(k, dim=1, largest=False, sorted=False).values.amax(dim=1, keepdim=True)


def _scores(model: nn.Module, norms: dict[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and scores [out, in] of one layer after the other: all at once are as large as the model."""
    for name, linear in pruned_linears(model).items():
        yield name, linear.weight.detach().abs() * norms[name]
