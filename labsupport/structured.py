"""Given parts of structured pruning: coupled matrices, gradients, and the choice of what to keep."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import LlamaForCausalLM

from labsupport import widths
from labsupport.linears import must_fit
from labsupport.memory import checkpointed, give_back
from labsupport.planning import narrowed
from labsupport.progress import bar

__all__ = ["CRITERIA", "attention", "gradients", "mlp", "most_important", "narrowed", "replace", "weights"]

CHUNK = 64  # positions whose logits exist at one time
CRITERIA = ("l1", "l2", "taylor", "random")


def mlp(model: nn.Module, index: int) -> dict[str, nn.Linear]:
    """gate, up and down of one decoder layer, in this order, by their full names."""
    return _block(model, f"model.layers.{index}.mlp", ("gate", "up", "down"))


def attention(model: nn.Module, index: int) -> dict[str, nn.Linear]:
    """q, k, v and o of one decoder layer, in this order, by their full names."""
    return _block(model, f"model.layers.{index}.self_attn", "qkvo")


def _block(model: nn.Module, path: str, names) -> dict[str, Any]:
    return {f"{path}.{name}_proj": model.get_submodule(f"{path}.{name}_proj") for name in names}


def weights(linears: dict[str, nn.Linear]) -> list[torch.Tensor]:
    """Their weights [out, in], in order, not copied and without gradients."""
    return [linear.weight.detach() for linear in linears.values()]


def replace(linears: dict[str, nn.Linear], slices: tuple[torch.Tensor, ...]) -> None:
    """Give these Linears, which have no bias, smaller weights [out, in], in order, in place."""
    for linear, weight in zip(linears.values(), slices, strict=True):
        widths.replace(linear, weight)
    give_back()  # what the scores took


def gradients(model: LlamaForCausalLM, batches, layers: range) -> dict[str, torch.Tensor]:
    """Gradient of the loss with respect to every Linear weight of `layers`, by full name, float32.

    batches: LongTensors [B, L] of token ids; the loss is the mean over the targets of a batch, summed over
    the batches. Memory: the size of these weights, plus the inputs of all layers and the activations of one
    layer for one batch, because a layer runs again on the way back. The model runs in eval mode; its mode is
    restored afterwards.
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
    decoder: Any = model.model  # attributes of nn.Module are untyped
    head: Any = model.lm_head
    was_training = model.training
    give_back()  # room for the gradients
    try:
        model.eval().requires_grad_(False).zero_grad(set_to_none=True)
        for linear in linears.values():
            linear.weight.requires_grad_(True)
        for batch in bar(batches, "gradients"):
            must_fit(model, batch.shape[-1])
            batch = batch.to(model.device)
            with torch.enable_grad(), checkpointed(decoder.layers):
                hidden = decoder(batch, use_cache=False).last_hidden_state[:, :-1].flatten(0, 1)
                hidden.backward(_slope(head, hidden, batch[:, 1:].flatten()))  # [B * (L - 1), hidden]
            give_back()
        grads: dict[str, Any] = {name: linear.weight.grad for name, linear in linears.items()}
        return {name: grad.float() for name, grad in grads.items()}
    finally:
        model.train(was_training)
        for name, weight in model.named_parameters():
            weight.requires_grad_(asked[name])
            weight.grad = kept[name]
        give_back()


def _slope(head: nn.Module, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Gradient [n, hidden] of the mean loss with respect to the last hidden states, [n, hidden].

    targets: int64 [n]. Logits are computed for `CHUNK` positions at a time: those of a window of 512, with
    their gradients, take as much memory as the model.
    """
    hidden = hidden.detach().requires_grad_()
    for part, goal in zip(hidden.split(CHUNK), targets.split(CHUNK), strict=True):
        loss = functional.cross_entropy(head(part).float(), goal, reduction="sum")  # of logits [chunk, V]
        (loss / len(targets)).backward()
    assert hidden.grad is not None
    return hidden.grad


def most_important(importance: torch.Tensor, count: int) -> torch.Tensor:
    """The sorted indices of the `count` highest scores; among equal scores the lower index is kept."""
    return importance.sort(descending=True, stable=True).indices[:count].sort().values
