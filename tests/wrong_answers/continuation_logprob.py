"""Answers to continuation_logprob. A wrong one's docstring is the phrase that must name its mistake."""

import math

import torch
from torch.nn import functional


@torch.no_grad()
def _logits(model, *parts):
    return model(torch.cat(parts)[None].to(model.device)).logits[0].float().cpu()  # [tokens, vocabulary]


def _each(model, context, continuation):
    """Log-probabilities of all tokens but the first."""
    ids = torch.cat([context, continuation])
    odds = _logits(model, context, continuation)[:-1].log_softmax(dim=-1)
    return odds.gather(1, ids[1:, None]).squeeze(1)


def right_gather(model, context_ids, continuation_ids):
    return _each(model, context_ids, continuation_ids)[-len(continuation_ids) :].sum().item()


def right_cross_entropy(model, context_ids, continuation_ids):
    logits = _logits(model, context_ids, continuation_ids)[len(context_ids) - 1 : -1]
    return -functional.cross_entropy(logits, continuation_ids, reduction="sum").item()


def right_with_a_cache(model, context_ids, continuation_ids):
    """With the keys and values of what came before kept in a cache."""
    total, past, ids = 0.0, None, context_ids
    for token in continuation_ids:
        with torch.no_grad():
            found = model(ids[None].to(model.device), past_key_values=past, use_cache=True)
        total += found.logits[0, -1].float().log_softmax(dim=-1)[token].item()
        past, ids = found.past_key_values, token[None]
    return total


def mean_of_all_times_n(model, context_ids, continuation_ids):
    """the context counts in that mean"""
    return _each(model, context_ids, continuation_ids).mean().item() * len(continuation_ids)


def right_without_the_last_token(model, context_ids, continuation_ids):
    logits = _logits(model, context_ids, continuation_ids[:-1])[-len(continuation_ids) :]
    return torch.distributions.Categorical(logits=logits).log_prob(continuation_ids).sum().item()


def right_with_gradients_on(model, context_ids, continuation_ids):
    ids = torch.cat([context_ids, continuation_ids]).to(model.device)
    odds = model(input_ids=ids[None]).logits[0].float().log_softmax(-1)
    places = range(len(context_ids), len(ids))
    return sum(odds[place - 1, ids[place]].item() for place in places)


@torch.no_grad()
def right_token_by_token(model, context_ids, continuation_ids):
    ids, total = context_ids.tolist(), 0.0
    for token in continuation_ids.tolist():
        logits = model(torch.tensor([ids], device=model.device)).logits[0, -1].double()
        total += (logits[token] - logits.logsumexp(0)).item()
        ids.append(token)
    return total


@torch.no_grad()
def right_hidden_states(model, context_ids, continuation_ids):
    ids = torch.cat([context_ids, continuation_ids])[None].to(model.device)
    hidden = model.model(ids).last_hidden_state[0, len(context_ids) - 1 : -1]
    odds = model.lm_head(hidden).float().log_softmax(-1).cpu()
    return float(odds[range(len(continuation_ids)), continuation_ids].sum())


def not_shifted(model, context_ids, continuation_ids):
    """logits and tokens were not shifted"""
    odds = _logits(model, context_ids, continuation_ids).log_softmax(-1)[-len(continuation_ids) :]
    return odds.gather(1, continuation_ids[:, None]).sum().item()


def first_token_missing(model, context_ids, continuation_ids):
    """the first token of the continuation is missing"""
    return _each(model, context_ids, continuation_ids)[len(context_ids) :].sum().item()


def last_token_missing(model, context_ids, continuation_ids):
    """the last token of the continuation is missing"""
    return _each(model, context_ids, continuation_ids)[len(context_ids) - 1 : -1].sum().item()


def context_too(model, context_ids, continuation_ids):
    """the tokens of the context were counted too"""
    return _each(model, context_ids, continuation_ids).sum().item()


def context_only(model, context_ids, continuation_ids):
    """the context was counted, not the continuation"""
    return _each(model, context_ids, continuation_ids)[: len(context_ids) - 1].sum().item()


def mean(model, context_ids, continuation_ids):
    """the mean over the 3 tokens instead of their sum"""
    return right_gather(model, context_ids, continuation_ids) / len(continuation_ids)


def over_all_tokens(model, context_ids, continuation_ids):
    """the sum was divided by all"""
    return right_gather(model, context_ids, continuation_ids) / len(
        torch.cat([context_ids, continuation_ids])
    )


def raw_logits(model, context_ids, continuation_ids):
    """the logits themselves were added up"""
    logits = _logits(model, context_ids, continuation_ids)[len(context_ids) - 1 : -1]
    return logits.gather(1, continuation_ids[:, None]).sum().item()


def probabilities_added(model, context_ids, continuation_ids):
    """probabilities were added up instead of their logarithms"""
    return _each(model, context_ids, continuation_ids)[-len(continuation_ids) :].exp().sum().item()


def a_probability(model, context_ids, continuation_ids):
    """its logarithm is asked for"""
    return math.exp(right_gather(model, context_ids, continuation_ids))


def a_loss(model, context_ids, continuation_ids):
    """the sign is that of a loss"""
    return -right_gather(model, context_ids, continuation_ids)


def bits(model, context_ids, continuation_ids):
    """the logarithm is to base 2"""
    return right_gather(model, context_ids, continuation_ids) / math.log(2)


def without_context(model, context_ids, continuation_ids):
    """made by the last token of the context, which the model has to see"""
    return _each(model, continuation_ids[:1], continuation_ids[1:]).sum().item()


def softmax_over_positions(model, context_ids, continuation_ids):
    """the softmax ran over the positions"""
    ids = torch.cat([context_ids, continuation_ids])
    odds = _logits(model, ids).log_softmax(dim=0)[:-1]
    return odds.gather(1, ids[1:, None])[-len(continuation_ids) :].sum().item()


@torch.no_grad()
def softmax_over_positions_of_the_continuation(model, context_ids, continuation_ids):
    """the softmax ran over the positions"""
    logits = _logits(model, context_ids, continuation_ids)[len(context_ids) - 1 : -1]
    return logits.log_softmax(dim=0).gather(1, continuation_ids.cpu()[:, None]).sum().item()


def half_precision(model, context_ids, continuation_ids):
    """left in half precision"""
    ids = torch.cat([context_ids, continuation_ids])[None].to(model.device)
    odds = model(ids).logits[0, len(context_ids) - 1 : -1].log_softmax(-1).cpu()
    return odds.gather(1, continuation_ids[:, None]).sum().item()


@torch.no_grad()
def float_too_late(model, context_ids, continuation_ids):
    """left in half precision"""
    ids = torch.cat([context_ids, continuation_ids])[None].to(model.device)
    odds = model(ids).logits[0, len(context_ids) - 1 : -1].log_softmax(-1).float().cpu()
    return odds.gather(1, continuation_ids[:, None]).sum().item()


def last_context_token_only(model, context_ids, continuation_ids):
    """FAILED a tiny model"""
    return right_gather(model, context_ids[-1:], continuation_ids)


def a_tensor(model, context_ids, continuation_ids):
    """.item() makes it a Python number"""
    return _each(model, context_ids, continuation_ids)[-len(continuation_ids) :].sum()


def changes_its_argument(model, context_ids, continuation_ids):
    """changed continuation_ids in place"""
    value = right_gather(model, context_ids, continuation_ids)
    continuation_ids.fill_(0)
    return value


def returns_nothing(model, context_ids, continuation_ids):
    """is a return missing?"""
    right_gather(model, context_ids, continuation_ids)


@torch.no_grad()
def likeliest_tokens(model, context_ids, continuation_ids):
    """the likeliest token was taken at each place"""
    ids = torch.cat([context_ids, continuation_ids])[None].to(model.device)
    odds = model(ids).logits[0, len(context_ids) - 1 : -1].float().log_softmax(dim=-1)
    return odds.amax(dim=-1).sum().item()


def no_batch(model, context_ids, continuation_ids):
    """the model got tokens without a batch axis"""
    return model(torch.cat([context_ids, continuation_ids])).logits.sum().item()


def stacked(model, context_ids, continuation_ids):
    """context and continuation were stacked as two rows"""
    return model(torch.stack([context_ids, continuation_ids])).logits.sum().item()


def not_written(model, context_ids, continuation_ids):
    """not written yet"""
    raise NotImplementedError()
