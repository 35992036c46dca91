"""11.1 quantise, made from solutions/11_on_device.py."""

import torch

def quantise(weight: torch.Tensor, bits: int, group: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Codes of a few bits, and the grid of every group: zero + scale * code is near the weight.

    weight: [out_features, in_features], of any floating type. Every `group` neighbours of a row share a grid,
    from their smallest weight to their largest; the last group of a row may be shorter.
    Returns codes, uint8 [out, in], from 0 to 2**bits - 1; scale and zero, float32 [out, groups].
    Raises ValueError for bits outside 1 to 8. Source: round to nearest, as in Dettmers and Zettlemoyer 2023.
    """
    if not 1 <= bits <= 8:
        raise ValueError(f"bits is {bits}: it must be from 1 to 8")
    weight = weight.float()
    ends = [part.aminmax(dim=1) for part in weight.split(group, dim=1)]  # [out] each
    zero = torch.stack([end.min for end in ends], dim=1)  # [out, groups]
    scale = (torch.stack([end.max for end in ends], dim=1) - zero) / (2**bits - 1)  # [out, groups]
    start, step = (each.repeat_interleave(group, dim=1)[:, : weight.shape[1]] for each in (zero, scale))
    codes = ((weight - start) / torch.where(step > 0, step, 1)).round()  # [out, in]
    return codes.to(torch.uint8), scale, zero
