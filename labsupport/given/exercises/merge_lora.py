"""6.2 merge_lora, made from solutions/06_recovery.py."""

import torch

def merge_lora(
    weight: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    scaling: float,
    mask: torch.BoolTensor | None = None,
) -> torch.Tensor:
    """The weight with its LoRA merged in, as a new tensor [out_features, in_features].

    weight: [out, in]; a: [r, in]; b: [out, r]; mask: bool [out, in], True = keep, or None. Where there is a
    mask, the weights that it drops are zero in the result.
    """
    merged = weight + scaling * b @ a
    return merged if mask is None else merged * mask
