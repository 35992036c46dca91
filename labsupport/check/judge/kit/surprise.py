"""The judges' reference loss of tokens for lab 01, independent of the given implementations."""

import math

import torch
from torch import nn

from labsupport.progress import bar


def surprise(logits: torch.Tensor, token_ids: torch.Tensor, ahead: int) -> tuple[float, int]:
    """Sum (in nats) and number of the terms -ln p(token `ahead` positions later), in Python floats.

    logits: [B, L, V] of any float type; token_ids: int64 [B, L]. ahead: 1 is right; 0 is a missing shift,
    2 a double shift, -1 a shift in the wrong direction.
    """
    costs = []
    for rows, window in zip(logits.tolist(), token_ids.tolist(), strict=True):
        for position, row in enumerate(rows):
            if 0 <= position + ahead < len(window):
                top = max(row)
                total = math.fsum(math.exp(value - top) for value in row)
                costs.append(top - row[window[position + ahead]] + math.log(total))
    return math.fsum(costs), len(costs)


@torch.no_grad()
def losses(model: nn.Module, token_windows: torch.Tensor) -> list[float]:
    """The mean loss in nats of every window, int64 [n, L]; one window at a time to bound the memory."""
    found = []
    for window in bar(token_windows, "perplexity"):
        window = window.to(model.device)  # [L]
        logits = model(window[None], use_cache=False).logits[0, :-1].float()  # [L - 1, V]
        ln_p = logits.log_softmax(dim=-1).gather(1, window[1:, None])  # [L - 1, 1]
        found.append(-ln_p.double().mean().item())
    return found
