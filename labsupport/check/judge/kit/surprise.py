"""The negative log-likelihood of tokens as the judges of lab 01 compute it, in Python's own floats."""

import math

import torch


def surprise(logits: torch.Tensor, token_ids: torch.Tensor, ahead: int) -> tuple[float, int]:
    """Sum, in nats, and number of the terms -ln p(the token `ahead` of a position).

    logits: [B, L, V] of any float type; token_ids: int64 [B, L]. ahead: 1 is right; 0 is a shift
    forgotten, 2 a shift made twice, -1 a shift the wrong way.
    """
    costs = []
    for rows, window in zip(logits.tolist(), token_ids.tolist(), strict=True):
        for position, row in enumerate(rows):
            if 0 <= position + ahead < len(window):
                top = max(row)
                total = math.fsum(math.exp(value - top) for value in row)
                costs.append(top - row[window[position + ahead]] + math.log(total))
    return math.fsum(costs), len(costs)
