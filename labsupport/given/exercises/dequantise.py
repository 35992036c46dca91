"""11.2 dequantise, made from solutions/11_on_device.py."""

import torch

def dequantise(codes: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor, group: int) -> torch.Tensor:
    """The weights that codes stand for: zero + scale * code, float32 [out, in].

    codes: uint8 [out, in]; scale, zero: [out, groups], of any floating type; a group has `group` neighbours of
    a row, the last one may have fewer.
    """
    start, step = (
        each.float().repeat_interleave(group, dim=1)[:, : codes.shape[1]] for each in (zero, scale)
    )
    return start + step * codes
