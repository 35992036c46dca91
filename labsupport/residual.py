"""The residual stream, which goes into each block of a model and comes out; a model that shares weights."""

import copy
from typing import Any

import torch
from transformers import PreTrainedModel


@torch.no_grad()
def stream(model: PreTrainedModel, token_windows: torch.Tensor) -> list[torch.Tensor]:
    """The hidden states before every block and after the last one: blocks + 1 tensors [n, L, hidden_size].

    token_windows: LongTensor [n, L]; one window at a time. The last tensor is that before the final norm,
    which `output_hidden_states` of transformers would have applied already.
    """
    decoder: Any = model.model  # attributes of nn.Module are untyped
    found: list[list[torch.Tensor]] = [[] for _ in range(len(decoder.layers) + 1)]

    def watch(place: int):
        return lambda _module, inputs: found[place].append(inputs[0])

    parts = [*decoder.layers, decoder.norm]
    handles = [part.register_forward_pre_hook(watch(place)) for place, part in enumerate(parts)]
    try:
        for window in token_windows:
            decoder(window[None].to(model.device), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return [torch.cat(windows) for windows in found]


def twin(model: PreTrainedModel) -> PreTrainedModel:
    """A copy of a model that has modules and a config of its own, and shares every weight with it.

    It costs no memory. What replaces weights changes one of the two, what changes numbers in place both.
    """
    return copy.deepcopy(model, {id(weight): weight for weight in model.parameters()})
