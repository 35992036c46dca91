"""Masks packed eight entries to a byte, for messages and for keys of the memo."""

import numpy as np
import torch


def packed(masks: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Each mask, bool of any shape, as uint8 [ceil(n / 8)]: the first entry is the highest bit."""
    return {name: packed_one(mask.cpu().numpy()) for name, mask in masks.items()}


def packed_one(mask: np.ndarray) -> torch.Tensor:
    """One mask, bool of any shape, as uint8 [ceil(n / 8)]."""
    return torch.from_numpy(np.packbits(mask))


def unpacked(bits: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """The mask of this shape. Raises ValueError for another number of bytes."""
    if bits.shape != (-(-shape.numel() // 8),):
        raise ValueError(f"{tuple(bits.shape)} bytes are no mask of {tuple(shape)}")
    return torch.from_numpy(np.unpackbits(bits.numpy(), count=shape.numel()).view(bool)).view(shape)
