"""1.2 window_nll: what the tokens of a batch of windows cost, as a sum and a count."""

import math
import random
from typing import Any

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.compare import Wrong, has_shape, is_close, is_tensor, kind, type_name
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.surprise import surprise

SHIFT = see("1.2", "Every token is guessed from those before it")
ONCE = see("1.3", "One exp, at the very end")


def cases(seed: int) -> list[Case]:
    """Logits [B, L, V] and tokens [B, L]: small whole numbers, at random, extreme, in half precision."""
    source = draw.rng(seed, "window_nll")
    plain = draw.until(lambda: plain_inputs(source), tells_apart)
    generator = draw.generator(source)

    def some(batch: int, length: int, vocabulary: int, loud: float) -> dict:
        logits = torch.randn(batch, length, vocabulary, generator=generator) * loud  # [B, L, V]
        token_ids = torch.randint(vocabulary, (batch, length), generator=generator)  # [B, L]
        return {"logits": logits, "token_ids": token_ids}

    even = some(2, source.randrange(5, 20), source.choice((3, 5, 6, 7, 10)), 0)
    huge = some(1, 5, 2, 0)
    wrong_guesses = 1 - huge["token_ids"][0, 1:]  # [4], of two tokens the one that is not the target
    huge["logits"][0, torch.arange(4), wrong_guesses] = 40_000.0
    return [
        Case("two windows of three tokens, a vocabulary of four", plain),
        Case("three windows, logits at random", some(3, 6, 11, 2.0)),
        Case("one window of two tokens", some(1, 2, 5, 2.0)),
        Case("logits so far apart that exp overflows", some(2, 4, 9, 400.0)),
        Case("logits in bfloat16, all equal", {**even, "logits": even["logits"].bfloat16()}),
        Case("logits in float16, every target missed by 40,000", {**huge, "logits": huge["logits"].half()}),
    ]


def plain_inputs(source: random.Random) -> dict:
    """Logits [2, 3, 4] that are logarithms of 1, 1, 2 and 4, so that probabilities are 1/8, 1/8, 1/4, 1/2."""
    weights = torch.tensor([[source.sample((1.0, 1.0, 2.0, 4.0), 4) for _ in range(3)] for _ in range(2)])
    token_ids = torch.tensor([source.choices(range(4), k=3) for _ in range(2)])  # [2, 3]
    return {"logits": weights.log(), "token_ids": token_ids}


def tells_apart(inputs: dict) -> bool:
    """Whether the right sum and those of the mistakes all differ, even two that share their sentences."""
    sums = [surprise(**inputs, ahead=1)[0], *(value for value, _ in mistakes(**inputs))]
    places = [(value, place) for place, value in enumerate(sums)]
    return draw.apart(places, lambda a, b: round(a, 3) == round(b, 3))


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


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the sum, float32 [], and the count."""
    logits, token_ids, value = inputs["logits"], inputs["token_ids"], answer.value  # [B, L, V], [B, L]
    batch, length, vocabulary = logits.shape

    def pair() -> None:
        if not isinstance(value, tuple) or len(value) != 2:
            raise Wrong(kind(value, "it is" if value is None else "yours is"))
        is_tensor(value[0], "the sum")

    def scalar() -> None:
        has_shape(value[0], ())
        if value[0].dtype not in (torch.float32, torch.float64):
            raise Wrong(f"it is {value[0].dtype}")

    def counted() -> None:
        if type(value[1]) is not int:
            given = "tensor" if isinstance(value[1], torch.Tensor) else type_name(value[1])
            raise Wrong(f"yours is a {given}; a Python int is asked for")
        if value[1] != batch * (length - 1):
            raise Wrong(f"yours is {value[1]}")

    def summed() -> None:
        expected, _ = surprise(logits, token_ids, 1)
        if not is_close(float(value[0]), expected, 1e-5):
            show: dict[str, Any] = {"your sum": float(value[0]), "expected": expected}
            if vocabulary == 4:
                halvings = f"{expected / math.log(2):.0f} ln 2 = {expected:.6g}"
                given = {"exp(logits)": logits.exp().round(), "token_ids": token_ids}
                show = {**given, **show, "expected": halvings}
            raise Wrong(**show)

    return [
        Part("a tuple of a tensor and a count", pair),
        Part("the sum is one number in float32", scalar),
        Part(f"the count of targets is {batch} * ({length} - 1) = {batch * (length - 1)}", counted),
        Part("the sum of these targets' negative log-likelihoods", summed),
    ]


def cause(inputs: dict, answer: Answer) -> Named:
    """The mistake that a wrong sum or count shows."""
    (total, count), expected = answer.value, surprise(**inputs, ahead=1)[0]
    if inputs["logits"].dtype is not torch.float32:
        return half_cause(inputs["logits"].dtype, total, expected)
    if not math.isfinite(total):
        return (
            "It looks as if exp overflowed, or a probability became 0 before its logarithm was taken. "
            "A log-softmax in one step never forms the probability."
        )
    if is_close(float(total), expected, 1e-5):
        return count_cause(*inputs["token_ids"].shape, count=count)
    return next((sentences for wrong, sentences in mistakes(**inputs) if is_close(float(total), wrong)), "")


def half_cause(dtype: torch.dtype, total: torch.Tensor, expected: float) -> str:
    """The mistake of an answer that was right until the logits came in this half precision."""
    if total.dtype is dtype or not math.isfinite(total):
        return (
            "It looks as if the sum was taken in half precision: float16 ends at 65504, bfloat16 has "
            "8 bits.\nTry logits.float() before anything else."
        )
    if is_close(float(total), expected, 1e-2):
        return (
            "It looks as if the logarithms were taken in half precision and made float32 too late.\n"
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


EXERCISE = Exercise("window_nll", "1.2", cases, parts, cause)
