"""9.3 sparsegpt_layer, made from solutions/09_sparsegpt.py."""

import torch
from labsupport.given.exercises import yours

hessian = yours("hessian")

def sparsegpt_layer(
    weight: torch.Tensor,
    hessian: torch.Tensor,
    sparsity: float,
    block: int = 128,
    damp: float = 0.01,
    pattern: tuple[int, int] | None = None,
) -> tuple[torch.Tensor, torch.BoolTensor]:
    """A weight with its lowest scores dropped column by column, and the survivors right of each moved.

    weight: float32 [out_features, in_features]; hessian: [in_features, in_features]. In each block of columns exactly
    round(sparsity * n) of its n weights go; with pattern (n, m) each row keeps n of every m consecutive inputs instead.
    damp: what is added to the Hessian's diagonal, as a share of its mean. Returns the new weight and the mask, True =
    keep. Raises ValueError if m does not divide in_features. Source: Frantar and Alistarh 2023, algorithm 1.
    """
    out, inputs = weight.shape
    group = pattern[1] if pattern else block  # columns that are chosen at one time
    if pattern and inputs % group:
        raise ValueError(f"{inputs} inputs cannot be cut into groups of {group}")
    damped = hessian + damp * hessian.diagonal().mean() * torch.eye(inputs, device=hessian.device)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    u = torch.linalg.cholesky(inverse, upper=True)  # [in, in]
    new, mask = weight.clone(), torch.ones_like(weight, dtype=torch.bool)
    for start in range(0, inputs, block):
        stop = min(start + block, inputs)
        errors = torch.zeros(out, stop - start, device=weight.device)
        for j in range(start, stop):
            if (j - start) % group == 0:
                here = slice(j, min(j + group, stop))
                score = (new[:, here] / u.diagonal()[here]).square()  # [out, group]
                pool = score if pattern else score.reshape(1, -1)
                drop = group - pattern[0] if pattern else round(sparsity * pool.numel())
                places = pool.topk(drop, dim=1, largest=False, sorted=False).indices
                keep = torch.ones_like(pool, dtype=torch.bool).scatter(1, places, False)
                mask[:, here] = keep.view_as(score)
            error = new[:, j] * ~mask[:, j] / u[j, j]  # [out]
            new[:, j:stop] -= error[:, None] * u[j, j:stop]
            errors[:, j - start] = error
        new[:, stop:] -= errors @ u[start:stop, stop:]
    return new * mask, mask
