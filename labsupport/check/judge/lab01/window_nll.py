"""1.2 window_nll: what the tokens of a batch of windows cost, as a sum and a count."""

import math
import random
from typing import Any

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Named
from labsupport.check.judge.kit.compare import Wrong, has_shape, is_close, is_tensor, kind, type_name
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.nll_causes import count_cause, floored, half_cause, mistakes, others, swapped
from labsupport.check.judge.kit.surprise import surprise


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
    twice = surprise(**inputs, ahead=2)[0]
    return draw.apart(places, near) and not any(near(value, twice) for value, _ in others(**inputs))


def near(one: float, other: float) -> bool:
    """Whether two sums are equal in three decimals."""
    return round(one, 3) == round(other, 3)


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the sum, float32 [], and the count."""
    logits, token_ids, value = inputs["logits"], inputs["token_ids"], answer.value  # [B, L, V], [B, L]
    batch, length, vocabulary = logits.shape

    def pair() -> None:
        if not isinstance(value, tuple) or len(value) != 2:
            raise Wrong(kind(value, "it is" if value is None else "yours is"))
        if swapped(*value):
            raise Wrong("the two changed places: first the sum, then the count")
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
    if not isinstance(total, torch.Tensor):
        return ""
    if inputs["logits"].dtype is not torch.float32:
        return half_cause(inputs["logits"].dtype, total, expected)
    if not math.isfinite(total):
        return (
            "It looks as if exp overflowed, or a probability became 0 before its logarithm was taken. "
            "A log-softmax in one step never forms the probability."
        )
    if is_close(float(total), expected, 1e-5):
        return count_cause(*inputs["token_ids"].shape, count=count)
    if floored(float(total), expected, **inputs):
        return (
            "It looks as if a probability of 0, or its logarithm, was replaced by another number: then the "
            "token costs too little. A log-softmax in one step never forms the probability."
        )
    named = [*mistakes(**inputs), *others(**inputs)]
    return next((sentences for wrong, sentences in named if is_close(float(total), wrong)), "")


EXERCISE = Exercise("window_nll", "1.2", cases, parts, cause)
