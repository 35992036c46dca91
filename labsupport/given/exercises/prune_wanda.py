"""4.3 prune_wanda, made from solutions/04_wanda_pruning.py."""

import torch
from labsupport import linears
from labsupport.given.input_norms import input_norms
from labsupport.given.exercises import yours

wanda_score = yours("wanda_score")
row_mask = yours("row_mask")

def prune_wanda(model, batches: list[torch.Tensor], sparsity: float) -> dict[str, torch.BoolTensor]:
    """Prune every Linear of the decoder layers by Wanda, in place, calibrated in one shot.

    batches: LongTensors [B, L] of token ids. Norms are those of the model as it comes in; every row of
    every layer drops the same share. Returns the masks by full module name, True = keep. Embeddings,
    norms and lm_head stay as they are; kept weights are bit-identical.
    """
    norms = input_norms(model, batches)
    masks = {
        name: row_mask(wanda_score(linear.weight, norms[name]), sparsity)
        for name, linear in linears.pruned_linears(model).items()
    }
    linears.apply_masks(model, masks)
    return masks
