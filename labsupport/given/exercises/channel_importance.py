"""5.2 channel_importance, made from solutions/05_structured_pruning.py."""

import torch

def channel_importance(gate, up, down, criterion: str, grads=None, generator=None) -> torch.Tensor:
    """How much each channel of an MLP matters: float32 [channels].

    gate, up: [channels, hidden]; down: [hidden, channels]. criterion: "l1", "l2", "taylor" or "random".
    grads: for "taylor", the gradients of gate, up and down. generator: for "random", a torch.Generator on
    the CPU; equal states give equal scores. Source: Ma et al. 2023, section 3.2.
    """
    if criterion == "random":
        return torch.rand(len(gate), generator=generator)
    pairs = zip((gate, up, down), grads or (None, None, None), strict=True)
    gate, up, down = (salience(weight, criterion, grad) for weight, grad in pairs)
    return gate.sum(dim=1) + up.sum(dim=1) + down.sum(dim=0)  # [channels]


def salience(weight: torch.Tensor, criterion: str, grad: torch.Tensor | None) -> torch.Tensor:
    """What every single weight is worth, float32, in the weight's shape: by "l1", "l2" or "taylor"."""
    weight = weight.float()
    if criterion == "taylor":
        return (weight * grad.float()).abs()
    return weight.abs() if criterion == "l1" else weight.square()
