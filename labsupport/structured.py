"""Structured pruning of Llama models, block by block: whole heads and channels go, matrices get smaller.

In the manner of LLM-Pruner (Ma et al. 2023, "LLM-Pruner: On the Structural Pruning of Large Language
Models"): what depends on each other is scored and removed together. In the MLP that is a row of gate
and up with the column of down; in attention a key-value head with all query heads that it serves.
"""

import warnings

import torch
from torch import nn
from torch.nn import functional
from transformers import LlamaForCausalLM

from labsupport import widths
from labsupport.linears import must_fit
from labsupport.planning import Plan, narrowed, plan, plan_widths
from labsupport.progress import bar
from labsupport.widths import Widths

__all__ = [
    "CRITERIA", "Plan", "channel_importance", "gradients", "kv_group_importance", "most_important",
    "narrowed", "plan", "prune_blocks", "shrink_attention", "shrink_mlp",
]  # fmt: skip

CRITERIA = ("l1", "l2", "taylor", "random")


# What matters least


def channel_importance(gate, up, down, criterion: str, grads=None, generator=None) -> torch.Tensor:
    """Float32 [channels]: how much each channel of an MLP matters.

    gate, up: [channels, hidden]; down: [hidden, channels]. A channel is a row of gate and up with the
    column of down. criterion: "l1" sum of abs(w), "l2" sum of w squared, "taylor" sum of abs(w * grad)
    with grads in the order of the weights, "random" uniform from the generator.
    """
    if criterion == "random":
        return torch.rand(len(gate), generator=generator)
    gate, up, down = _saliences((gate, up, down), criterion, grads)
    return gate.sum(dim=1) + up.sum(dim=1) + down.sum(dim=0)


def kv_group_importance(
    q, k, v, o, head_dim: int, kv_heads: int, criterion: str, grads=None, generator=None
) -> torch.Tensor:
    """Float32 [kv_heads]: how much each key-value head matters, with the query heads that it serves.

    q: [heads * head_dim, hidden]; k, v: [kv_heads * head_dim, hidden]; o: [hidden, heads * head_dim]. Query
    heads are served in order: the first heads / kv_heads of them by head 0. criterion and grads as above.
    """
    if criterion == "random":
        return torch.rand(kv_heads, generator=generator)
    q, k, v, o = _saliences((q, k, v, o), criterion, grads)
    rows = sum(weight.sum(dim=1).view(kv_heads, -1).sum(dim=1) for weight in (q, k, v))
    return rows + o.sum(dim=0).view(kv_heads, -1).sum(dim=1)


def _saliences(weights: tuple, criterion: str, grads: tuple | None) -> list[torch.Tensor]:
    if criterion == "taylor":
        return [(w.float() * grad.float()).abs() for w, grad in zip(weights, grads, strict=True)]
    power = {"l1": 1, "l2": 2}[criterion]
    return [weight.float().abs() ** power for weight in weights]


def gradients(model: LlamaForCausalLM, batches, layers: range) -> dict[str, torch.Tensor]:
    """Gradient of the loss with respect to every Linear weight of `layers`, by full name, float32.

    batches: LongTensors [B, L] of token ids; the loss is the mean over the targets of a batch, added up over
    the batches. Memory: as much again as these weights, and the activations of one batch at a time; nothing
    is kept for the layers below. The model is in eval mode meanwhile and as found afterwards.
    Source: LLM-Pruner (Ma et al. 2023), section 3.2.
    """
    linears = {
        f"model.layers.{index}.{name}": module
        for index in layers
        for name, module in model.model.layers[index].named_modules()
        if isinstance(module, nn.Linear)
    }
    asked = {name: weight.requires_grad for name, weight in model.named_parameters()}
    kept = {name: weight.grad for name, weight in model.named_parameters()}
    was_training = model.training
    try:
        model.eval().requires_grad_(False).zero_grad(set_to_none=True)
        for linear in linears.values():
            linear.weight.requires_grad_(True)
        for batch in bar(batches, "gradients"):
            must_fit(model, batch.shape[-1])
            _loss(model, batch.to(model.device)).backward()
        return {name: linear.weight.grad.float() for name, linear in linears.items()}
    finally:
        model.train(was_training)
        for name, weight in model.named_parameters():
            weight.requires_grad_(asked[name])
            weight.grad = kept[name]


def _loss(model: LlamaForCausalLM, batch: torch.Tensor) -> torch.Tensor:
    with torch.enable_grad():
        logits = model(batch, use_cache=False).logits[:, :-1]  # [B, L - 1, vocabulary]
        return functional.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten())


# Removing it


def shrink_mlp(gate, up, down, keep: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """gate, up [kept, hidden] and down [hidden, kept] with the channels of `keep` alone, in its order."""
    return gate[keep], up[keep], down[:, keep]


def shrink_attention(q, k, v, o, keep: torch.Tensor, head_dim: int, kv_heads: int) -> tuple:
    """q, k, v, o with the key-value heads of `keep` alone and the query heads they serve, in order."""
    rows, columns = _rows(keep, len(k) // kv_heads), _rows(keep, len(q) // kv_heads)
    return q[columns], k[rows], v[rows], o[:, columns]


def _rows(keep: torch.Tensor, size: int) -> torch.Tensor:
    """The rows of the kept groups, `size` rows a group."""
    return (keep[:, None] * size + torch.arange(size, device=keep.device)).flatten()


def prune_blocks(model: LlamaForCausalLM, ratio: float, layers: range, criterion: str, batches=None) -> None:
    """Remove the least important channels and key-value groups of these layers, in place.

    ratio: share to remove, 0 to 1, counted as `narrowed` says; criterion: one of CRITERIA; batches:
    LongTensors [B, L] of calibration tokens, for "taylor" alone. "random" draws the same numbers at every
    call. All scores are those of the model as it comes in. Kept weights are bit-identical, and the config
    is brought up to date. Warns when there is nothing to remove; raises ValueError for bad arguments.
    """
    if criterion not in CRITERIA:
        raise ValueError(f"criterion is {criterion!r}: it must be one of {', '.join(CRITERIA)}")
    if criterion == "taylor" and not batches:
        raise ValueError("criterion 'taylor' needs batches of calibration tokens for its gradients")
    after, notes = plan_widths(widths.of_model(model), model.config.head_dim, ratio, layers)
    for sentence in notes:
        warnings.warn(sentence, stacklevel=2)
    grads = gradients(model, batches, layers) if criterion == "taylor" and len(layers) else {}
    generator = torch.Generator().manual_seed(0)
    for index in layers:
        block = model.model.layers[index]
        scored = {"criterion": criterion, "generator": generator}
        _prune_mlp(block.mlp, after[index], scored, _of(grads, index, "mlp", ("gate", "up", "down")))
        _prune_attention(block.self_attn, after[index], scored, _of(grads, index, "self_attn", "qkvo"))
    widths.note(model)


def _of(grads: dict, index: int, block: str, names) -> tuple | None:
    return tuple(grads[f"model.layers.{index}.{block}.{name}_proj"] for name in names) if grads else None


def most_important(importance: torch.Tensor, count: int) -> torch.Tensor:
    """The sorted indices of the `count` highest scores; of equal scores the lower index stays."""
    return importance.sort(descending=True, stable=True).indices[:count].sort().values


@torch.no_grad()
def _prune_mlp(mlp: nn.Module, width: Widths, scored: dict, grads: tuple | None) -> None:
    linears = (mlp.gate_proj, mlp.up_proj, mlp.down_proj)
    weights = [linear.weight for linear in linears]
    keep = most_important(channel_importance(*weights, grads=grads, **scored), width.channels)
    keep = keep.to(weights[0].device)
    for linear, weight in zip(linears, shrink_mlp(*weights, keep), strict=True):
        widths.replace(linear, weight, _bias(linear, None if linear is mlp.down_proj else keep))


@torch.no_grad()
def _prune_attention(attention: nn.Module, width: Widths, scored: dict, grads: tuple | None) -> None:
    linears = (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj)
    weights = [linear.weight for linear in linears]
    sizes = (attention.head_dim, len(weights[1]) // attention.head_dim)
    keep = most_important(kv_group_importance(*weights, *sizes, grads=grads, **scored), width.kv_heads)
    keep = keep.to(weights[0].device)
    for linear, weight in zip(linears, shrink_attention(*weights, keep, *sizes), strict=True):
        rows = None if linear is attention.o_proj else _rows(keep, linear.out_features // sizes[1])
        widths.replace(linear, weight, _bias(linear, rows))


def _bias(linear: nn.Linear, rows: torch.Tensor | None) -> torch.Tensor | None:
    """The bias that is left: that of the kept outputs, or all of it."""
    return linear.bias if linear.bias is None or rows is None else linear.bias[rows]
