"""1.1 windows, made from solutions/01_perplexity.py."""

import torch

def windows(token_ids: torch.LongTensor, length: int) -> torch.LongTensor:
    """Cut a text into windows, without overlap; the ragged tail is dropped.

    token_ids: [T]. Returns [T // length, length], still int64.
    Raises ValueError for a text shorter than one window.
    """
    n = len(token_ids) // length
    if n == 0:
        raise ValueError(f"a text of {len(token_ids)} tokens holds no window of {length}")
    return token_ids[: n * length].view(n, length)
