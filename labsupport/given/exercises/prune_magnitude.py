"""2.2 prune_magnitude, made from solutions/02_magnitude_pruning.py."""

import torch
from labsupport import linears
from labsupport.given.exercises import yours

magnitude_mask = yours("magnitude_mask")

def prune_magnitude(model, sparsity: float) -> dict[str, torch.BoolTensor]:
    """Prune every Linear of the decoder layers by magnitude, in place.

    Each layer drops the same share of its own weights. Returns the masks by full module name,
    True = keep. Embeddings, norms and lm_head stay as they are; kept weights are bit-identical.
    """
    masks = {
        name: magnitude_mask(linear.weight, sparsity)
        for name, linear in linears.pruned_linears(model).items()
    }
    linears.apply_masks(model, masks)
    return masks
