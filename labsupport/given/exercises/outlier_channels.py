"""3.3 outlier_channels, made from solutions/03_wanda_calibration.py."""

import torch

def outlier_channels(norm: torch.Tensor, k: int) -> tuple[torch.LongTensor, float]:
    """The k loudest channels, and how far the loudest stands above the median.

    norm: float [in_features]; k from 1 to in_features. Returns int64 [k], the loudest first (channels
    equally loud in any order), and the loudest norm over the median as a Python float. The median is
    torch.median's: of an even number of channels the lower of the two in the middle.
    """
    loudest = norm.topk(k)
    return loudest.indices, (loudest.values[0] / norm.median()).item()
