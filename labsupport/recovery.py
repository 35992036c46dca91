"""The size of LoRA, and a filter for a warning of peft."""

import warnings

from torch import nn

from labsupport.linears import pruned_linears

# peft uses a name that transformers has deprecated
warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)


def trainable(model: nn.Module, rank: int = 8) -> int:
    """The number of weights that LoRA trains: rank * (in + out) for every pruned Linear."""
    return sum(rank * (linear.in_features + linear.out_features) for linear in pruned_linears(model).values())
