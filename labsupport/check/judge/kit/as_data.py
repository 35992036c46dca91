"""The numbers behind a failure as plain data, for a verdict."""

from typing import Any

import torch

SMALL = 40  # tensors up to this number of entries are shown in full
FIRST = 6  # entries shown of a larger tensor


def data(value) -> Any:
    """A value as plain data: a small tensor as nested lists, a large one as its shape and first entries."""
    if isinstance(value, torch.Tensor):
        if 0 < value.numel() <= SMALL or value.shape == (0,):  # [2**39, 0] as lists fills the memory
            return (value.int() if value.dtype is torch.bool else value).tolist()
        return {"shape": list(value.shape), "first": value.flatten()[:FIRST].tolist()}
    if isinstance(value, list | tuple):
        return [data(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)
