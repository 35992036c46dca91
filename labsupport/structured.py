"""Given parts of structured pruning: coupled matrices, gradients, and the choice of what to keep."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import LlamaForCausalLM

from labsupport import widths
from labsupport.linears import must_fit
from labsupport.planning import narrowed
from labsupport.progress import bar

__all__ = ["CRITERIA", "attention", "gradients", "mlp", "most_important", "narrowed", "replace", "weights"]

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


def gradients(model: LlamaForCausalLM, batches, layers: range) -> dict[str, torch.Tensor]:
    """Gradient of the loss with respect to every Linear weight of `layers`, by full name, float32.

    batches: LongTensors [B, L] of token ids; the loss is the mean over the targets of a batch, summed over
    the batches. Memory: the size of these weights, plus the activations of one batch from the first of these
    layers on. The model runs in eval mode; its mode is restored afterwards.
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
            batch = batch.to(model.device)
            with torch.enable_grad():
                logits = model(batch, use_cache=False).logits[:, :-1]  # [B, L - 1, V]
                functional.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten()).backward()
        grads: dict[str, Any] = {name: linear.weight.grad for name, linear in linears.items()}
        return {name: grad.float() for name, grad in grads.items()}
    finally:
        model.train(was_training)
        for name, weight in model.named_parameters():
            weight.requires_grad_(asked[name])
            weight.grad = kept[name]


def most_important(importance: torch.Tensor, count: int) -> torch.Tensor:
    """The sorted indices of the `count` highest scores; among equal scores the lower index is kept."""
    return importance.sort(descending=True, stable=True).indices[:count].sort().values
