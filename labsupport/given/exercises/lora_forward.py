"""6.1 lora_forward, made from solutions/06_recovery.py."""

import torch

def lora_forward(
    x: torch.Tensor, weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scaling: float
) -> torch.Tensor:
    """The output of a frozen linear layer with LoRA beside it, without forming the product of b and a.

    x: [..., in_features]; weight: [out_features, in_features]; a: [r, in_features]; b: [out_features, r].
    Returns [..., out_features]. Source: Hu et al. 2022, equation 3.
    """
    return x @ weight.T + scaling * (x @ a.T @ b.T)
