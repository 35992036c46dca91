"""9.1 hessian, made from solutions/09_sparsegpt.py."""

import torch

def hessian(x: torch.Tensor) -> torch.Tensor:
    """The sums over all tokens of the products of every two inputs, X^T X.

    x: [..., in_features], of any floating type. Returns float32 [in_features, in_features].
    Source: Frantar and Alistarh 2023, section 3, without the factor 2.
    """
    tokens = x.float().reshape(-1, x.shape[-1])  # [T, in]
    return tokens.T @ tokens
