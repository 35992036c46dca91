"""1.3 perplexity, made from solutions/01_perplexity.py."""

import math
import torch
from labsupport.given.exercises import yours

window_nll = yours("window_nll")

def perplexity(model: torch.nn.Module, token_windows: torch.LongTensor) -> float:
    """Perplexity of a causal language model over all targets of all windows.

    token_windows: [n, L], on any device; n * (L - 1) targets count alike.
    The model's mode and the state of gradients are afterwards as they were found.
    """
    total, targets = 0.0, 0
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for window in token_windows.to(model.device):
                nll, count = window_nll(model(window[None]).logits, window[None])
                total += nll.item()
                targets += count
    finally:
        model.train(was_training)
    return math.exp(total / targets)
