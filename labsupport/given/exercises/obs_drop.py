"""9.2 obs_drop, made from solutions/09_sparsegpt.py."""

import torch

def obs_drop(weight_row: torch.Tensor, inverse_hessian: torch.Tensor, j: int) -> torch.Tensor:
    """A row of a weight after weight j was dropped and all others moved so that the output moves least.

    weight_row: [in_features]; inverse_hessian: [in_features, in_features], the inverse of X^T X. Returns a new row
    [in_features], its entry j exactly 0. Source: Hassibi and Stork 1993, equation 5.
    """
    new = weight_row - weight_row[j] / inverse_hessian[j, j] * inverse_hessian[:, j]  # [in]
    new[j] = 0
    return new
