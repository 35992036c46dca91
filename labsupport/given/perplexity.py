"""The evaluation: perplexity of a model on windows of tokens."""

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from labsupport.linears import must_fit, tell_if_sparse
from labsupport.progress import bar

FROM = 2  # the first lab that is given this file
ANSWERS = ("perplexity", "window_nll")
HIGHEST = 709  # a loss in nats: math.exp raises OverflowError above it
CHUNK = 128  # positions whose logits exist at one time: 25 MB here, which malloc reuses


@torch.no_grad()
def perplexity(model: nn.Module, token_windows: torch.Tensor) -> float:
    """Perplexity of a causal language model on windows of tokens.

    token_windows: LongTensor [n, L]; in every window, tokens 2 to L are predicted from those before them,
    so there are n * (L - 1) targets. The loss is summed in float32 over all windows and exponentiated
    once; where no float holds the result, it is inf. Logits are computed for `CHUNK` positions at a time,
    which halves the memory and is no slower.
    The model's training mode is restored afterwards.
    Source: the deck's evaluation slide; Jurafsky and Martin, Speech and Language Processing, ch. 3.
    """
    if token_windows.dim() != 2 or token_windows.shape[1] < 2:
        raise ValueError(
            f"token_windows is {tuple(token_windows.shape)}: expected [n, length], length 2 or more"
        )
    must_fit(model, token_windows.shape[1])
    decoder: Any = model.model  # attributes of nn.Module are untyped
    head: Any = model.lm_head
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        total = 0.0
        for window in bar(token_windows, "perplexity"):
            window = window.to(device)
            hidden = decoder(window[None], use_cache=False).last_hidden_state[0]  # [L, hidden]
            predictors, targets = hidden[:-1], window[1:]
            for start in range(0, len(targets), CHUNK):
                logits = head(predictors[start : start + CHUNK]).float()  # [chunk, V]
                total += functional.cross_entropy(
                    logits, targets[start : start + CHUNK], reduction="sum"
                ).item()
    finally:
        model.train(was_training)
    tell_if_sparse(model)
    loss = total / (token_windows.shape[0] * (token_windows.shape[1] - 1))
    return math.inf if loss > HIGHEST else math.exp(loss)
