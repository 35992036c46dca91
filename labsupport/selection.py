"""The k-th smallest of many numbers by partial selection, several times faster than a sort."""

import numpy as np
import torch

BLOCK = 2**16  # entries processed at one time: they fit into the processor's cache
MANY = 2**20  # number of entries from which sampling is faster


def kth_smallest(values: torch.Tensor, k: int) -> torch.Tensor:
    """The k-th smallest along the last axis, k counted from 1: [..., n] -> [..., 1].

    The result of torch.kthvalue; on a CPU partial selection is several times faster.
    Raises ValueError for a k outside 1 to n.
    """
    values, n = values.detach(), values.shape[-1]
    if not 1 <= k <= n:
        raise ValueError(f"k is {k}: it must be from 1 to {n}")
    if values.is_cuda:
        return selection_on_cuda(values.reshape(-1, n), k).view(*values.shape[:-1], 1)
    exact = values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
    return torch.from_numpy(partial_selection(exact.numpy(), k)).to(values.dtype)


def partial_selection(values: np.ndarray, k: int) -> np.ndarray:
    """The k-th smallest along the last axis: [..., n] -> [..., 1]."""
    found = _by_sample(values.reshape(-1), k) if MANY < values.size == values.shape[-1] else None
    if found is None:
        return np.partition(values, k - 1, axis=-1)[..., k - 1 : k]
    return np.full((*values.shape[:-1], 1), found, dtype=values.dtype)


def _by_sample(values: np.ndarray, k: int) -> np.number | None:
    """The k-th smallest of very many values; None in the rare case that the sample misses it.

    A sorted sample gives two values that enclose it almost surely; the selection runs on the few values
    between them. Source: Floyd and Rivest 1975, Expected time bounds for selection.
    """
    stride = len(values) // BLOCK | 1  # odd, so that the sample covers every column of a matrix
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


def selection_on_cuda(score: torch.Tensor, k: int) -> torch.Tensor:
    """The k-th smallest of every row, [rows, n] -> [rows, 1]; kthvalue is slow on one long row."""
    if len(score) > 1:
        return score.kthvalue(k, dim=1, keepdim=True).values
    return score.topk(k, dim=1, largest=False, sorted=False).values.amax(dim=1, keepdim=True)
