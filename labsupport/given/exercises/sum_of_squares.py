"""3.1 sum_of_squares, made from solutions/03_wanda_calibration.py."""

import torch

def sum_of_squares(x: torch.Tensor) -> torch.Tensor:
    """The sum of squares of every input channel, over all other axes.

    x: [..., in_features], any number of leading axes (none too), any floating dtype.
    Returns float32 [in_features], whatever x is.
    """
    tokens = x.float().reshape(-1, x.shape[-1])  # [tokens, in_features]
    return tokens.square().sum(dim=0)
