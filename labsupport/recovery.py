"""The size of LoRA."""

from torch import nn

from labsupport.linears import pruned_linears


def trainable(model: nn.Module, rank: int = 8) -> int:
    """The number of weights that LoRA trains: rank * (in + out) for every pruned Linear."""
    return sum(rank * (linear.in_features + linear.out_features) for linear in pruned_linears(model).values())
