"""The calibration of Wanda: L2 norms of the inputs of every pruned layer."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from labsupport.linears import must_fit, pruned_linears
from labsupport.progress import bar

FROM = 4  # the first lab that is given this file
ANSWERS = ("sum_of_squares", "input_norms")


@torch.no_grad()
def input_norms(model: nn.Module, batches: Iterable[torch.Tensor]) -> dict[str, torch.Tensor]:
    """L2 norm of every pruned Linear's input, per input channel, over all tokens of all batches.

    batches: LongTensors [B, L] of token ids. Returns float32 [in] by the module's full name. Runs every
    batch once; memory does not grow with their number, because only sums of squares are kept. lm_head does
    not run, because no logits are needed. Source: Wanda (Sun et al. 2024), equation 1.
    """
    decoder: Any = model.model  # attributes of nn.Module are untyped
    device = next(model.parameters()).device
    squares = {}
    handles = []
    was_training = model.training

    def watch(name: str, linear: nn.Linear) -> None:
        squares[name] = torch.zeros(linear.in_features, device=linear.weight.device)

        def add(_module, inputs):
            x = inputs[0].float().flatten(0, -2)  # [B * L, in]
            squares[name] += x.square().sum(dim=0)

        handles.append(linear.register_forward_pre_hook(add))

    for name, linear in pruned_linears(model).items():
        watch(name, linear)
    try:
        model.eval()
        for batch in bar(batches, "calibration"):
            must_fit(model, batch.shape[-1])
            decoder(batch.to(device), use_cache=False)
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return {name: total.sqrt() for name, total in squares.items()}
