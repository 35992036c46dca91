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
    slopes = structured.gradients(model, batches, layers) if criterion == "taylor" else None
    generator = torch.Generator().manual_seed(0)
    head_dim, before, modules = model.config.head_dim, widths.of_model(model), linears.pruned_linears(model)

    def collected(names: list[str]) -> tuple:
        weights = [modules[name].weight.detach() for name in names]
        return weights, slopes and tuple(slopes[name] for name in names)

    def replaced(names: list[str], slices: tuple) -> None:
        for name, weight in zip(names, slices, strict=True):
            widths.replace(modules[name], weight)

    for index in layers:
        left = structured.narrowed(before[index], head_dim, ratio)

        names = [f"model.layers.{index}.mlp.{name}_proj" for name in ("gate", "up", "down")]
        weights, grads = collected(names)
        importance = channel_importance(*weights, criterion, grads, generator)
        replaced(names, shrink_mlp(*weights, structured.most_important(importance, left.channels)))

        names = [f"model.layers.{index}.self_attn.{name}_proj" for name in "qkvo"]
        weights, grads = collected(names)
        sizes = (head_dim, before[index].kv_heads)
        importance = kv_group_importance(*weights, *sizes, criterion, grads, generator)
        keep = structured.most_important(importance, left.kv_heads)
        replaced(names, shrink_attention(*weights, keep, *sizes))
    widths.note(model)
