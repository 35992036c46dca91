"""SparseGPT: a layer, and a whole model, pruned with the survivors moved to make up for what goes."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from labsupport.linears import must_fit, pruned_linears

FROM = 10  # the first lab that is given this file
ANSWERS = ("hessian", "sparsegpt_layer", "prune_sparsegpt")
BLOCK = 128  # columns whose mask is chosen at one time


def hessian(x: torch.Tensor) -> torch.Tensor:
    """X^T X of the inputs of a layer: [..., in] of any floating type -> float32 [in, in]."""
    tokens = x.float().reshape(-1, x.shape[-1])  # [T, in]
    return tokens.T @ tokens


def factor(hessian: torch.Tensor, damp: float = 0.01) -> torch.Tensor:
    """U, upper triangular, with U^T U the inverse of a damped Hessian: [in, in] -> [in, in].

    The first row of the inverse of what is open at column j is U[j, j] * U[j, j:].
    """
    damped = hessian + damp * hessian.diagonal().mean() * torch.eye(len(hessian), device=hessian.device)
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)


def sparsegpt_layer(
    weight: torch.Tensor, u: torch.Tensor, sparsity: float, pattern: tuple[int, int] | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The new weight and its mask, True = keep, both [out, in]; u: `factor` of the layer's Hessian.

    In each block of 128 columns exactly round(sparsity * n) of its n weights go; with pattern (n, m) each row
    keeps n of every m consecutive inputs. Works on the transpose, whose columns are contiguous: twice as
    fast. Raises ValueError if m does not divide in_features. Source: Frantar and Alistarh 2023, algorithm 1.
    """
    inputs = weight.shape[1]
    group = pattern[1] if pattern else BLOCK
    if pattern and inputs % group:
        raise ValueError(f"{inputs} inputs cannot be cut into groups of {group}")
    step = BLOCK - BLOCK % group
    new = weight.detach().float().T.contiguous()  # [in, out]
    mask = torch.ones_like(new, dtype=torch.bool)  # [in, out]
    for start in range(0, inputs, step):
        stop = min(start + step, inputs)
        errors = torch.zeros_like(new[start:stop])  # [block, out]
        for j in range(start, stop):
            if (j - start) % group == 0:
                here = slice(j, min(j + group, stop))
                mask[here] = _kept((new[here] / u.diagonal()[here, None]).square(), sparsity, pattern)
            errors[j - start] = new[j] * ~mask[j] / u[j, j]  # [out]
            new[j:stop].addr_(u[j, j:stop], errors[j - start], alpha=-1)
        new[stop:].addmm_(u[start:stop, stop:].T, errors, alpha=-1)
    return (new * mask).T.to(weight.dtype).contiguous(), mask.T.contiguous()


def _kept(score: torch.Tensor, sparsity: float, pattern: tuple[int, int] | None) -> torch.Tensor:
    """Bool [columns, out], True = keep, of a group's scores: of all together, or n of m for each output."""
    pool = score if pattern else score.reshape(-1, 1)
    drop = pattern[1] - pattern[0] if pattern else round(sparsity * len(pool))
    places = pool.topk(drop, dim=0, largest=False, sorted=False).indices
    return torch.ones_like(pool, dtype=torch.bool).scatter(0, places, False).view_as(score)


@torch.no_grad()
def prune_sparsegpt(
    model: nn.Module,
    batches: Iterable[torch.Tensor],
    sparsity: float,
    pattern: tuple[int, int] | None = None,
) -> dict[str, torch.Tensor]:
    """Prune every Linear of the decoder layers in place, each on what the pruned ones before it send.

    batches: LongTensors [B, L] of token ids, of one length. Returns the masks by full name, True = keep. One
    forward pass; layers with the same input share its Hessian.
    """
    decoder: Any = model.model  # attributes of nn.Module are untyped
    tokens = torch.cat(list(batches)).to(next(model.parameters()).device)  # [B, L]
    must_fit(model, tokens.shape[-1])
    masks, handles = {}, []
    last: list[Any] = [None, None]  # the newest input, and the factor of its Hessian

    def watch(name: str, linear: nn.Linear) -> None:
        def solve(_module, inputs):
            if last[0] is not inputs[0]:
                last[:] = inputs[0], factor(hessian(inputs[0]))
            new, masks[name] = sparsegpt_layer(linear.weight, last[1], sparsity, pattern)
            linear.weight.copy_(new)

        handles.append(linear.register_forward_pre_hook(solve))

    was_training = model.training
    for name, linear in pruned_linears(model).items():
        watch(name, linear)
    try:
        model.eval()
        decoder(tokens, use_cache=False)
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return masks
