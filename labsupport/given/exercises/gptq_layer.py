"""9.5 gptq_layer, made from solutions/09_sparsegpt.py."""

import torch
from labsupport.given.exercises import yours

hessian = yours("hessian")

def gptq_layer(
    weight: torch.Tensor, hessian: torch.Tensor, bits: int, group: int, block: int = 128, damp: float = 0.01
) -> torch.Tensor:
    """A weight rounded column by column to 2**bits values, the columns right of each moved to make up for it.

    weight: float32 [out_features, in_features]; hessian: [in_features, in_features]. Every `group` consecutive inputs
    of a row share a grid, from the smallest to the largest weight of the group when its first column is reached.
    block: a multiple of group, does not change the result; damp: as in sparsegpt_layer. Returns a new weight [out, in].
    Source: Frantar et al. 2023, GPTQ, algorithm 1, with a grid for each group.
    """
    out, inputs = weight.shape
    damped = hessian + damp * hessian.diagonal().mean() * torch.eye(inputs, device=hessian.device)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    u = torch.linalg.cholesky(inverse, upper=True)  # [in, in]
    new = weight.clone()
    for start in range(0, inputs, block):
        stop = min(start + block, inputs)
        errors = torch.zeros(out, stop - start, device=weight.device)
        for j in range(start, stop):
            if (j - start) % group == 0:
                low, high = new[:, j : min(j + group, stop)].aminmax(dim=1)  # [out] each
                step = torch.where(high > low, (high - low) / (2**bits - 1), 1)  # [out]
            value = low + step * ((new[:, j] - low) / step).round().clamp(0, 2**bits - 1)  # [out]
            error = (new[:, j] - value) / u[j, j]  # [out]
            new[:, j:stop] -= error[:, None] * u[j, j:stop]
            new[:, j] = value
            errors[:, j - start] = error
        new[:, stop:] -= errors @ u[start:stop, stop:]
    return new
