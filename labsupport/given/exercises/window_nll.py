"""1.2 window_nll, made from solutions/01_perplexity.py."""

import torch

def window_nll(logits: torch.Tensor, token_ids: torch.LongTensor) -> tuple[torch.Tensor, int]:
    """What the tokens of a batch of windows cost, each guessed from those before it.

    logits: [B, L, V], the logits at t guess token t + 1. token_ids: [B, L].
    Returns the sum of the negative log-likelihoods in nats, a float32 scalar, and the number of
    targets, B * (L - 1). The sum is float32 whatever logits is.
    """
    guesses, targets = logits[:, :-1], token_ids[:, 1:]  # [B, L-1, V], [B, L-1]
    nll = torch.nn.functional.cross_entropy(guesses.float().flatten(0, 1), targets.flatten(), reduction="sum")
    return nll, targets.numel()
