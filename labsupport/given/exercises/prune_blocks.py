"""5.6 prune_blocks, made from solutions/05_structured_pruning.py."""

import torch
from labsupport import linears
from labsupport import structured, widths
from labsupport.given.exercises import yours

channel_importance = yours("channel_importance")
kv_group_importance = yours("kv_group_importance")
shrink_mlp = yours("shrink_mlp")
shrink_attention = yours("shrink_attention")

def prune_blocks(model, ratio: float, layers: range, criterion: str, batches=None) -> None:
    """Remove the least important channels and key-value groups of these layers, in place.

    ratio: share to remove, 0 to 1; criterion: "l1", "l2", "taylor" or "random"; batches: LongTensors
    [B, L] of calibration tokens, for "taylor". All scores are those of the model as it comes in; what
    stays is bit-identical and in its old order; the config says how wide each layer is afterwards.
    """
    slopes = structured.gradients(model, batches, layers) if criterion == "taylor" else {}
    generator = torch.Generator().manual_seed(0)
    head_dim, before = model.config.head_dim, widths.of_model(model)

    def gradients(linears: dict) -> tuple | None:  # each is used once, and its memory is free afterwards
        return tuple(slopes.pop(name) for name in linears) if slopes else None

    for index in layers:
        left = structured.narrowed(before[index], head_dim, ratio)

        mlp = structured.mlp(model, index)
        weights = structured.weights(mlp)
        importance = channel_importance(*weights, criterion, gradients(mlp), generator)
        keep = structured.most_important(importance, left.channels)
        structured.replace(mlp, shrink_mlp(*weights, keep))

        attention, sizes = structured.attention(model, index), (head_dim, before[index].kv_heads)
        weights = structured.weights(attention)
        importance = kv_group_importance(*weights, *sizes, criterion, gradients(attention), generator)
        keep = structured.most_important(importance, left.kv_heads)
        structured.replace(attention, shrink_attention(*weights, keep, *sizes))
    widths.note(model)
