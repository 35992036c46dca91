"""Wanda masks of a whole model: per output row, and n of every m inputs."""

from collections.abc import Iterator

import torch
from torch import nn

from labsupport.given.masks import kept
from labsupport.linears import pruned_linears

FROM = 5  # the first lab that is given this file
ANSWERS = ("wanda_score", "prune_wanda", "n_of_m_mask")


def wanda_masks(model: nn.Module, norms: dict[str, torch.Tensor], sparsity: float) -> dict[str, torch.Tensor]:
    """Masks by full name that drop the lowest Wanda scores of each output row, and all ties at the cut.

    norms: what calibration.input_norms measured. Source: Wanda (Sun et al. 2024), equation 1.
    """
    return {name: kept(score, sparsity) for name, score in scores(model, norms)}


def n_of_m_masks(
    model: nn.Module, norms: dict[str, torch.Tensor] | None, n: int = 2, m: int = 4
) -> dict[str, torch.Tensor]:
    """Masks by full name that keep the n highest Wanda scores of every m consecutive inputs.

    Without norms the scores are magnitudes. Raises ValueError for a layer whose inputs are no multiple of m.
    """
    masks = {}
    for name, score in scores(model, norms):
        if score.shape[1] % m:
            raise ValueError(f"{name} has {score.shape[1]} inputs, which are no multiple of {m}")
        groups = score.unflatten(1, (-1, m))  # [out, groups, m]
        best = groups.sort(dim=2, descending=True, stable=True).indices[:, :, :n]
        masks[name] = torch.zeros_like(groups, dtype=torch.bool).scatter_(2, best, True).flatten(1)
    return masks


def scores(model: nn.Module, norms: dict[str, torch.Tensor] | None) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and scores [out, in], one layer at a time, because all of them are as large as the model."""
    for name, linear in pruned_linears(model).items():
        magnitude = linear.weight.detach().abs()
        yield name, magnitude if norms is None else magnitude * norms[name]
