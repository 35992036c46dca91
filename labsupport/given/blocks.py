"""Structured pruning of Llama models, block by block: removes whole heads and channels.

As in LLM-Pruner (Ma et al. 2023, "LLM-Pruner: On the Structural Pruning of Large Language Models"),
coupled structures are scored and removed together: in the MLP a row of gate and up with the column of
down; in attention a KV group, which is a key-value head with all query heads that it serves.
"""

import warnings
from typing import Any

import torch
from torch import nn
from transformers import LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaMLP

from labsupport import widths
from labsupport.memory import give_back
from labsupport.planning import plan_widths
from labsupport.structured import CRITERIA, gradients, most_important
from labsupport.widths import Widths

FROM = 6  # the first lab that is given this file
ANSWERS = ("channel_importance", "kv_group_importance", "shrink_mlp", "shrink_attention", "prune_blocks")


def channel_importance(gate, up, down, criterion: str, grads=None, generator=None) -> torch.Tensor:
    """The importance of each channel of an MLP: float32 [channels].

    gate, up: [channels, hidden]; down: [hidden, channels]. A channel is a row of gate and up with the
    column of down. criterion: "l1" sum of abs(w), "l2" sum of w squared, "taylor" sum of abs(w * grad)
    with grads in the order of the weights, "random" uniform from the generator.
    """
    if criterion == "random":
        return torch.rand(len(gate), generator=generator)
    of_gate, of_up, of_down = grads or (None, None, None)
    rows = [_salience(w, criterion, g).sum(dim=1) for w, g in ((gate, of_gate), (up, of_up))]
    return rows[0] + rows[1] + _salience(down, criterion, of_down).sum(dim=0)


def kv_group_importance(
    q, k, v, o, head_dim: int, kv_heads: int, criterion: str, grads=None, generator=None
) -> torch.Tensor:
    """The importance of each KV group: float32 [kv_heads].

    q: [heads * head_dim, hidden]; k, v: [kv_heads * head_dim, hidden]; o: [hidden, heads * head_dim]. Query
    heads are in groups: key-value head 0 serves the first heads / kv_heads. criterion, grads: as above.
    """
    if criterion == "random":
        return torch.rand(kv_heads, generator=generator)
    *of_rows, of_o = grads or (None, None, None, None)
    sums = [_salience(w, criterion, g).sum(dim=1) for w, g in zip((q, k, v), of_rows, strict=True)]
    rows = sum(each.view(kv_heads, -1).sum(dim=1) for each in sums)
    return rows + _salience(o, criterion, of_o).sum(dim=0).view(kv_heads, -1).sum(dim=1)


def _salience(weight: torch.Tensor, criterion: str, grad: torch.Tensor | None) -> torch.Tensor:
    """Of each weight, one matrix at a time: all of a layer would be as large as the layer."""
    if criterion == "taylor":
        assert grad is not None, "taylor needs gradients"
        return (weight.float() * grad.float()).abs_()
    return {"l1": torch.abs, "l2": torch.square}[criterion](weight.float())


def shrink_mlp(gate, up, down, keep: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """gate, up [kept, hidden] and down [hidden, kept] with only the channels of `keep`, in its order."""
    return gate[keep], up[keep], down[:, keep]


def shrink_attention(q, k, v, o, keep: torch.Tensor, head_dim: int, kv_heads: int) -> tuple:
    """q, k, v, o with only the key-value heads of `keep` and the query heads that they serve, in order."""
    rows, columns = _rows(keep, len(k) // kv_heads), _rows(keep, len(q) // kv_heads)
    return q[columns], k[rows], v[rows], o[:, columns]


def _rows(keep: torch.Tensor, size: int) -> torch.Tensor:
    """The rows of the kept groups, `size` rows per group."""
    return (keep[:, None] * size + torch.arange(size, device=keep.device)).flatten()


def prune_blocks(
    model: LlamaForCausalLM, ratio: float, layers: range, criterion: str, batches=None, seed: int = 0
) -> None:
    """Remove the least important channels and KV groups of these layers, in place.

    ratio: share to remove, 0 to 1, rounded as in `narrowed`; criterion: one of CRITERIA; batches:
    LongTensors [B, L] of calibration tokens, for "taylor" only; seed: of the draws of "random". All scores
    are computed on the model before it is pruned. Kept weights are bit-identical, and the config is updated.
    Warns when there is nothing to remove; raises ValueError for bad arguments.
    """
    if criterion not in CRITERIA:
        raise ValueError(f"criterion is {criterion!r}: it must be one of {', '.join(CRITERIA)}")
    if criterion == "taylor" and not batches:
        raise ValueError("criterion 'taylor' needs batches of calibration tokens for its gradients")
    after, notes = plan_widths(widths.of_model(model), widths.head_size(model.config), ratio, layers)
    for sentence in notes:
        warnings.warn(sentence, stacklevel=2)
    grads = gradients(model, batches, layers) if criterion == "taylor" and len(layers) else {}
    generator = torch.Generator().manual_seed(seed)
    for index in layers:
        block: Any = model.model.layers[index]
        scored = {"criterion": criterion, "generator": generator}
        _prune_mlp(block.mlp, after[index], scored, _of(grads, index, "mlp", ("gate", "up", "down")))
        _prune_attention(block.self_attn, after[index], scored, _of(grads, index, "self_attn", "qkvo"))
    widths.note(model)
    del grads
    give_back()


def _of(grads: dict, index: int, block: str, names) -> tuple | None:
    """The gradients of a block, taken out: each is used once, and its memory is free afterwards."""
    return tuple(grads.pop(f"model.layers.{index}.{block}.{name}_proj") for name in names) if grads else None


@torch.no_grad()
def _prune_mlp(mlp: LlamaMLP, width: Widths, scored: dict, grads: tuple | None) -> None:
    linears = (mlp.gate_proj, mlp.up_proj, mlp.down_proj)
    weights = (mlp.gate_proj.weight, mlp.up_proj.weight, mlp.down_proj.weight)
    keep = most_important(channel_importance(*weights, grads=grads, **scored), width.channels)
    keep = keep.to(weights[0].device)
    for linear, weight in zip(linears, shrink_mlp(*weights, keep), strict=True):
        widths.replace(linear, weight, _bias(linear, None if linear is mlp.down_proj else keep))


@torch.no_grad()
def _prune_attention(attention: LlamaAttention, width: Widths, scored: dict, grads: tuple | None) -> None:
    linears = (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj)
    q, k, v, o = linears
    weights = (q.weight, k.weight, v.weight, o.weight)
    sizes = (attention.head_dim, len(weights[1]) // attention.head_dim)
    keep = most_important(kv_group_importance(*weights, *sizes, grads=grads, **scored), width.kv_heads)
    keep = keep.to(weights[0].device)
    for linear, weight in zip(linears, shrink_attention(*weights, keep, *sizes), strict=True):
        rows = None if linear is attention.o_proj else _rows(keep, linear.out_features // sizes[1])
        widths.replace(linear, weight, _bias(linear, rows))


def _bias(linear: nn.Linear, rows: torch.Tensor | None) -> torch.Tensor | None:
    """The bias of the kept outputs, or all of it if `rows` is None."""
    return linear.bias if linear.bias is None or rows is None else linear.bias[rows]
