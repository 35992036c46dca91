"""The masks of labs 02 and 04 for a whole model, where pruning is a means and not the exercise."""

import numpy as np
import torch
from torch import nn

from labsupport.linears import pruned_linears


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
    return {name: kept(score, sparsity) for name, score in _scores(model, norms).items()}


def two_of_four_masks(model: nn.Module, norms: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Masks by full name that keep the 2 highest Wanda scores of every 4 consecutive inputs."""
    masks = {}
    for name, score in _scores(model, norms).items():
        groups = score.unflatten(1, (-1, 4))  # [out, groups, 4]
        best = groups.sort(dim=2, descending=True, stable=True).indices[:, :, :2]
        masks[name] = torch.zeros_like(groups, dtype=torch.bool).scatter_(2, best, True).flatten(1)
    return masks


def kept(score: torch.Tensor, sparsity: float) -> torch.Tensor:
    """Bool, True = keep: every row of score [rows, n] drops its round(sparsity * n) lowest entries."""
    k = round(sparsity * score.shape[1])
    if k == 0:
        return torch.ones_like(score, dtype=torch.bool)
    return score > cut(score.detach().float().cpu(), k).to(score)


def cut(scores: torch.Tensor, k: int) -> torch.Tensor:
    """The k-th smallest score along the last axis, k at least 1, on a CPU: [..., n] -> [..., 1].

    By partial selection, several times faster than a sort.
    """
    return torch.from_numpy(np.partition(scores.numpy(), k - 1, axis=-1)[..., k - 1 : k])


def _scores(model: nn.Module, norms: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    linears = pruned_linears(model)
    return {name: linear.weight.detach().abs() * norms[name] for name, linear in linears.items()}
