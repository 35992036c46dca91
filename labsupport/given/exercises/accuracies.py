"""7.2 accuracies, made from solutions/07_zero_shot.py."""

import torch

def accuracies(logprobs: torch.Tensor, lengths: torch.Tensor, answers: torch.Tensor) -> tuple[float, float]:
    """acc and acc_norm: how often the right choice has the highest sum, and the highest sum per byte.

    logprobs: float [n, choices]; lengths: int [n, choices], in bytes; answers: int [n], the index of the
    right choice. Both results are shares, 0 to 1. Source: lm-evaluation-harness, multiple-choice tasks.
    """
    acc, acc_norm = (
        (scores.argmax(dim=1) == answers).double().mean().item() for scores in (logprobs, logprobs / lengths)
    )
    return acc, acc_norm
