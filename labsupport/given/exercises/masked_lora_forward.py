"""6.4 masked_lora_forward, made from solutions/06_recovery.py."""

import torch

def masked_lora_forward(
    x: torch.Tensor,
    weight: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    scaling: float,
    mask: torch.BoolTensor,
) -> torch.Tensor:
    """The output of a frozen linear layer with LoRA, both under the mask, so that gradients are masked as well.

    x: [..., in_features]; weight: [out_features, in_features]; a: [r, in_features]; b: [out_features, r];
    mask: bool [out, in], True = keep. Returns [..., out_features]. Source: Muñoz et al. 2024, SparsePEFT.
    """
    return x @ ((weight + scaling * b @ a) * mask).T
