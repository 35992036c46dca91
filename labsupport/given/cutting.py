"""Windows of tokens, cut from a text."""

import torch

FROM = 0  # the first lab that is given this file
ANSWERS = ("windows",)


def cut(token_ids: torch.Tensor, length: int, count: int) -> torch.Tensor:
    """The first `count` windows of a text [T]: [count, length]."""
    return token_ids[: count * length].view(count, length)
