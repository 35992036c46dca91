"""The likely mistakes behind a wrong sum, or a wrong count, of negative log-likelihoods."""

import math

import torch

from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.compare import is_close
from labsupport.check.judge.kit.surprise import surprise

SHIFT = see("1.2", "Every token is guessed from those before it")
ONCE = see("1.3", "One exp, at the very end")


def mistakes(logits: torch.Tensor, token_ids: torch.Tensor) -> list[tuple[float, str]]:
    """The sum that each mistake gives, and the sentences that name it. Shapes [B, L, V] and [B, L]."""
    right, targets = surprise(logits, token_ids, 1)
    flat = logits.flatten(0, 1)[None], token_ids.flatten()[None]  # [1, B * L, V], [1, B * L]
    p = logits.double().softmax(dim=-1)  # [B, L, V]
    chosen = p[:, :-1].gather(2, token_ids[:, 1:, None]).sum().item()
    raw = logits[:, :-1].double().gather(2, token_ids[:, 1:, None]).sum().item()
    unshifted = (
        "It looks as if logits and tokens were not shifted: the logits at position t are a guess "
        f"of token t + 1, {SHIFT}\nTry it on paper with the first window."
    )
    twice = (
        f"It looks as if logits and tokens were shifted twice, so position t guesses t + 2: {SHIFT} "
        "Shift in one place only: by hand, or inside a loss that shifts for you."
    )
    backwards = (
        "It looks as if they were shifted the wrong way: position t was asked for token t - 1, "
        f"which the model has read already: {SHIFT}"
    )
    joined = (
        "It looks as if the windows were joined before the shift, so the end of one window guesses "
        "the start of the next. Shift along dim 1 first, flatten afterwards."
    )
    mean = (
        "It looks as if this is the mean over the targets instead of their sum. "
        f"Windows can only be added up as sums, {ONCE}"
    )
    bits = (
        "It looks as if the logarithm is to base 2: the result is in bits. "
        "Perplexity here is exp of nats, so use the natural logarithm."
    )
    logged = "A probability p costs -ln p: take the logarithm of the softmax over the last axis."
    unlogged = f"It looks as if probabilities were added up instead of their logarithms. {logged}"
    return [
        (surprise(logits, token_ids, 0)[0], unshifted),
        (surprise(logits[:, :-1], token_ids[:, :-1], 0)[0], unshifted),
        (surprise(logits[:, 1:], token_ids[:, 1:], 0)[0], unshifted),
        (surprise(logits, token_ids, 2)[0], twice),
        (surprise(logits, token_ids, -1)[0], backwards),
        (surprise(*flat, 1)[0], joined),
        (right / targets, mean),
        (right / math.log(2), bits),
        (-right, "It looks as if the minus sign is missing: ln p is negative, and the cost is -ln p."),
        (chosen, unlogged),
        (-chosen, unlogged),
        (targets - chosen, unlogged),
        (surprise(p, token_ids, 1)[0], "It looks as if softmax was taken twice: cross_entropy takes logits."),
        (-raw, f"It looks as if the logits themselves were added up. {logged}"),
    ]


def others(logits: torch.Tensor, token_ids: torch.Tensor) -> list[tuple[float, str]]:
    """Rarer mistakes, of which two may give one sum. Shapes [B, L, V] and [B, L]."""
    costs = each(logits, token_ids)  # [B, L - 1]
    right = costs.sum().item()
    one = "It looks as if one window was taken, and this batch has more."
    mixed = logits[:, :-1].reshape(len(logits), logits.shape[2], -1)  # [B, V, L - 1]
    return [
        (costs[0].sum().item(), one),
        (costs[-1].sum().item(), one),
        (
            costs[token_ids[:, 1:] != 0].sum().item(),
            "It looks as if token 0 does not count: is it taken for padding, by ignore_index or a mask?",
        ),
        (right / math.log(10), "It looks as if the logarithm is to base 10: ln is the natural one."),
        (
            math.exp(min(right / costs.numel(), 700)),
            f"This is a perplexity already. Its exp comes at the end, {ONCE}",
        ),
        (
            picked(logits.double().log_softmax(dim=1)[:, :-1], token_ids),
            "It looks as if softmax ran along the positions, dim=1. The vocabulary is the last axis.",
        ),
        (
            picked(mixed.double().log_softmax(dim=1).transpose(1, 2), token_ids),
            "It looks as if reshape or view exchanged positions and vocabulary: that mixes them up. "
            "transpose(1, 2) exchanges axes.",
        ),
    ]


def picked(logp: torch.Tensor, token_ids: torch.Tensor) -> float:
    """Minus the sum of the targets' entries of logp, [B, L - 1, V]."""
    return -logp.gather(2, token_ids[:, 1:, None]).sum().item()


def each(logits: torch.Tensor, token_ids: torch.Tensor) -> torch.Tensor:
    """What each target costs: float64 [B, L - 1]."""
    return -logits.double().log_softmax(dim=-1)[:, :-1].gather(2, token_ids[:, 1:, None]).squeeze(-1)


def swapped(total, count) -> bool:
    """Whether the first is a number and the second a tensor."""
    return isinstance(total, int | float) and isinstance(count, torch.Tensor)


def floored(total: float, expected: float, logits: torch.Tensor, token_ids: torch.Tensor) -> bool:
    """Whether probabilities, or their logarithms, that are kept above a number give this sum."""
    costs = each(logits, token_ids)  # [B, L - 1]
    p = (-costs).exp()
    lost = costs > 87  # p is no normal number of float32
    if total >= expected or not bool(lost.any()):
        return False
    sums = [costs[~lost].sum()]
    for power in range(4, 46):
        smallest = 10.0**-power
        sums += [-(p + smallest).log().sum(), costs.clamp(max=-math.log(smallest)).sum()]
    return any(is_close(total, float(other), 1e-3) for other in sums)


def half_cause(dtype: torch.dtype, total: torch.Tensor, expected: float) -> str:
    """The mistake of an answer that was right until the logits came in this half precision."""
    if total.dtype is dtype or not math.isfinite(total):
        return (
            "It looks as if the sum was taken in half precision: float16 ends at 65504, bfloat16 has "
            "8 bits.\nTry logits.float() before anything else."
        )
    if is_close(float(total), expected, 3e-2):
        return (
            "It looks as if logarithms were taken, or added, in half precision and made float32 too late.\n"
            "Try logits.float() before anything else."
        )
    return ""


def count_cause(batch: int, length: int, count: int) -> Named:
    """The mistake in the number of targets of a batch [batch, length], where the sum is right."""
    if count == batch * length:
        return (
            "It looks as if every token was counted. The first token of a window is no target, "
            f"because nothing stands before it: {SHIFT}"
        )
    if count == length - 1:
        return Cause(
            f"It looks as if one window was counted, and this batch has {batch}.", "one window counted"
        )
    return ""
