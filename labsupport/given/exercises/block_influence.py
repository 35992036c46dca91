"""10.1 block_influence, made from solutions/10_depth.py."""

import itertools
import torch

def block_influence(hidden: list[torch.Tensor]) -> torch.Tensor:
    """1 minus the mean cosine of what goes into each block and what comes out: float32 [blocks].

    hidden: blocks + 1 tensors [B, L, hidden_size], before every block and after the last one. The mean runs over
    all tokens of all windows. Source: Men et al. 2024, section 3.
    """
    influences = []
    for before, after in itertools.pairwise(hidden):
        cosines = torch.nn.functional.cosine_similarity(before.float(), after.float(), dim=-1)  # [B, L]
        influences.append(1 - cosines.mean())
    return torch.stack(influences)
