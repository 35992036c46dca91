"""5.7 compensation, made from solutions/05_structured_pruning.py."""

import torch

def compensation(down_weight: torch.Tensor, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """The bias that replaces the mean contribution of the channels that are not in `keep`: float32 [hidden].

    down_weight: [hidden, channels]; x: [..., channels], the input of down, all axes but the last are tokens;
    keep: LongTensor of channels, in any order. Source: An et al. 2024 (FLAP), baseline bias compensation.
    """
    cut_away = torch.ones(x.shape[-1], dtype=torch.bool, device=keep.device).index_fill(0, keep, False)
    mean = x.float().reshape(-1, x.shape[-1]).mean(dim=0)  # [channels]
    return down_weight[:, cut_away].float() @ mean[cut_away]
