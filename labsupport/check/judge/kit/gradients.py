"""The judge's gradients of the loss, independent of the given ones."""

from typing import Any

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from labsupport.check.ask import recipes
from labsupport.check.ask.fingerprints import linears_of
from labsupport.check.ask.own.prune_blocks import layers_of
from labsupport.memory import checkpointed, give_back

PIECE = 64  # positions whose logits exist at one time: those of a whole window fill the memory
Grads = dict[str, torch.Tensor]  # weight -> gradient [out, in]


def gradients(inputs: dict, batches: list[torch.Tensor], model=None) -> dict[int, Grads]:
    """Gradients by layer of the mean loss per batch, summed over the batches; batches: int64 [B, L] each."""
    model = model or recipes.model(inputs["model"])
    layers = layers_of(inputs, model)
    weights = {
        i: {name: linear.weight.requires_grad_() for name, linear in linears_of(model, i).items()}
        for i in layers
    }
    with torch.enable_grad(), checkpointed(model.model.layers):
        for batch in batches:
            batch = batch.to(model.device)
            hidden = model.model(batch, use_cache=False).last_hidden_state[:, :-1]  # [B, L - 1, hidden]
            pieces = zip(hidden.split(PIECE, 1), batch[:, 1:].split(PIECE, 1), strict=True)
            losses = [checkpoint(_loss, model.lm_head, *piece, use_reentrant=False) for piece in pieces]
            (torch.stack(losses).sum() / batch[:, 1:].numel()).backward()
    grads: Any = {i: {name: weight.grad for name, weight in named.items()} for i, named in weights.items()}
    for weight in (weight for named in weights.values() for weight in named.values()):
        weight.requires_grad_(False).grad = None
    give_back()
    return grads  # not None after backward()


def _loss(head, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The sum of the losses of states [B, P, hidden] before targets, int64 [B, P]."""
    logits = head(hidden).float()  # [B, P, V]
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
