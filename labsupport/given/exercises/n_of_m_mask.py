"""4.4 n_of_m_mask, made from solutions/04_wanda_pruning.py."""

import torch

def n_of_m_mask(score: torch.Tensor, n: int, m: int) -> torch.BoolTensor:
    """Which weights stay when every m consecutive inputs keep their n highest scores.

    score: [out_features, in_features]. Returns bool of the same shape, True = keep, exactly n in each
    group; of equal scores those with the lower index stay. Raises ValueError if m does not divide
    in_features. Source: Mishra et al. 2021 (2:4 sparsity).
    """
    if score.shape[1] % m:
        raise ValueError(f"{score.shape[1]} inputs cannot be cut into groups of {m}")
    groups = score.reshape(-1, m)  # [groups, m]
    best = groups.sort(dim=1, descending=True, stable=True).indices[:, :n]
    mask = torch.zeros_like(groups, dtype=torch.bool).scatter_(1, best, True)
    return mask.view(score.shape)
