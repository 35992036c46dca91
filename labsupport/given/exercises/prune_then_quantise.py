"""11.5 prune_then_quantise, made from solutions/11_on_device.py."""

import torch
from labsupport.given.masks import kept
from labsupport.given.exercises import yours

quantise = yours("quantise")
dequantise = yours("dequantise")

def prune_then_quantise(
    weight: torch.Tensor, norm: torch.Tensor, sparsity: float, bits: int, group: int
) -> torch.Tensor:
    """The weight pruned by Wanda, then rounded to the grids of what is left: float32 [out, in].

    weight: [out_features, in_features]; norm: [in_features], of the inputs; sparsity: 0 to 1, within each row;
    bits, group: as in quantise. What is dropped is exactly 0; what stays is within half a step of its weight.
    """
    mask = kept(weight.abs() * norm, sparsity)  # [out, in]
    return dequantise(*quantise(weight * mask, bits, group), group) * mask
