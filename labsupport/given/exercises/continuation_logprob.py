"""7.1 continuation_logprob, made from solutions/07_zero_shot.py."""

import torch

@torch.no_grad()
def continuation_logprob(model, context_ids: torch.Tensor, continuation_ids: torch.Tensor) -> float:
    """The sum of the log-probabilities of a continuation's tokens, given the context.

    context_ids, continuation_ids: LongTensors [n], n at least 1. Natural logarithms, in float32 whatever
    the model's type is. Source: lm-evaluation-harness, loglikelihood requests.
    """
    token_ids = torch.cat([context_ids, continuation_ids]).to(model.device)
    logits = model(token_ids[None]).logits[0]  # [tokens, vocabulary]
    guesses = logits[len(context_ids) - 1 : -1].float().log_softmax(dim=-1)  # [continuation, vocabulary]
    return guesses.gather(1, token_ids[len(context_ids) :, None]).sum().item()
