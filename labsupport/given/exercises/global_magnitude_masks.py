"""2.3 global_magnitude_masks, made from solutions/02_magnitude_pruning.py."""

import torch
from labsupport.given.exercises import yours

magnitude_mask = yours("magnitude_mask")

def global_magnitude_masks(weights: dict[str, torch.Tensor], sparsity: float) -> dict[str, torch.BoolTensor]:
    """Masks that drop the smallest magnitudes of all layers together.

    weights: by full module name, [out_features, in_features] each. Returns masks under the same names,
    True = keep; round(sparsity * n) entries go, n counting all layers; ties at the cut may all go.
    Raises ValueError for a sparsity outside 0 to 1.
    """
    every = torch.cat([weight.flatten() for weight in weights.values()])
    keep = magnitude_mask(every, sparsity)
    parts = keep.split([weight.numel() for weight in weights.values()])
    return {
        name: part.view(weight.shape) for (name, weight), part in zip(weights.items(), parts, strict=True)
    }
