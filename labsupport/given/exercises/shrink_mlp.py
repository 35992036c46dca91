"""5.4 shrink_mlp, made from solutions/05_structured_pruning.py."""

import torch

def shrink_mlp(gate, up, down, keep: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """gate, up and down with the channels of `keep` alone: [kept, hidden] twice, and [hidden, kept].

    keep: LongTensor, sorted. The numbers stay as they are, and so does their order.
    """
    return gate[keep], up[keep], down[:, keep]
