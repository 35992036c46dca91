"""Judges wanda_score, exercise 4.1: magnitudes of the weights times the norms of their inputs."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.compare import Wrong, WrongForm, has_shape, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

SCORE = see("4.1", "Loud inputs count")


def cases(seed: int) -> list[Case]:
    """Weights [out, in] and norms [in], one input much louder than the others."""
    source = draw.rng(seed, "wanda_score")

    def loud(count: int) -> torch.Tensor:
        norm = torch.tensor(source.sample([2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], count))  # [in]
        norm[source.randrange(count)] = 20.0
        return norm

    square = draw.distinct(source, 3, 3)  # [out, in]
    square[1, 1] = -square[1, 1].abs()  # one negative weight at least
    half = draw.distinct(source, 4, 5).half() / 8  # [out, in]
    huge = torch.tensor(source.sample([90_000.0, 3.0, 0.5, 2.0, 7.0], 5))  # [in]
    dead = loud(4)  # [in]
    dead[source.randrange(4)] = 0.0
    return [
        Case("a small square matrix", {"weight": square, "input_norm": loud(3)}),
        Case("more inputs than outputs", {"weight": draw.distinct(source, 2, 5), "input_norm": loud(5)}),
        Case("an input that is always zero", {"weight": draw.distinct(source, 4, 4), "input_norm": dead}),
        Case("weights in half precision, a norm above its range", {"weight": half, "input_norm": huge}),
    ]


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the score [out, in]."""
    weight, norm, score = inputs["weight"].float(), inputs["input_norm"], answer.value
    shape = tuple(weight.shape)

    def typed() -> None:
        is_tensor(score)
        if not score.is_floating_point():
            raise WrongForm(f"it is {score.dtype}")

    def finite() -> None:
        if not bool(score.isfinite().all()):
            why = "float16 ends at 65504" if score.dtype is torch.float16 else "there is infinity in it"
            raise Wrong(why, input_norm=norm, your_score=score)

    def positive() -> None:
        if bool((score < 0).any()):
            raise Wrong(weight=weight, your_score=score)

    def by_column() -> None:
        factors = score / weight.abs()  # [out, in]; each row should be input_norm
        if not close(factors, norm.expand_as(weight)):
            raise Wrong(weight=weight, input_norm=norm, your_score=score, **{"your score / |W|": factors})

    return [
        Part("the score is a tensor of floating-point numbers", typed),
        Part(f"shape (out_features, in_features) = {shape}", lambda: has_shape(score, shape)),
        Part("on the device of the weight", lambda: on_same_device(answer)),
        Part("no score overflows", finite),
        Part("no score is negative", positive),
        Part("each magnitude is multiplied by the norm of its own input", by_column),
    ]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a wrong score shows."""
    weight, norm, score = inputs["weight"].float(), inputs["input_norm"], answer.value
    if not isinstance(score, torch.Tensor) or score.shape != weight.shape:
        return
    magnitude = weight.abs()  # [out, in]
    factors = score / magnitude  # [out, in]

    def multiplied_by(value: torch.Tensor) -> bool:
        return close(factors, value.expand_as(weight))

    if bool((score < 0).any()) and close(factors.abs(), norm.expand_as(weight)):
        yield (
            f"It looks as if the sign of the weights was kept: -4 is as far from zero as 4, {SCORE}\n"
            "Try weight.abs()."
        )
    if len(weight) == len(norm) and multiplied_by(norm[:, None]):
        yield (
            "It looks as if each output row was multiplied by a norm. The norms belong to the inputs, "
            f"the columns of the weight, {SCORE}\nTry input_norm.shape beside weight.shape[1]."
        )
    if multiplied_by(torch.ones(())):
        yield f"It looks as if input_norm was not used: these are the magnitudes of lab 02, {SCORE}"
    if multiplied_by(norm**2):
        yield (
            "It looks as if the norm was squared. It is the root of a sum of squares, and the score takes it "
            f"as it is, {SCORE}\nTry score / weight.abs(): each row should be input_norm."
        )
    if multiplied_by(norm**0.5):
        yield (
            f"It looks as if a root was taken of the norm, which is a root already, {SCORE}\n"
            "Try score / weight.abs(): each row should be input_norm."
        )
    if close(score - magnitude, norm.expand_as(weight)):
        yield f"It looks as if the norm was added. What counts is the size of weight times input, {SCORE}"
    if close(factors, magnitude * norm) or close(factors, magnitude * norm**2):
        yield f"It looks as if the weight, or the whole score, was squared, {SCORE}"
    if close(factors, factors[:1, :1].expand_as(weight)):
        yield (
            "It looks as if all inputs got one norm, such as the mean of input_norm or its own norm. Each "
            f"input has one of its own, {SCORE}"
        )
    if close(score, weight.relu() * norm):
        yield f"It looks as if weights below 0 score 0. -4 is as far from zero as 4, {SCORE}"
    scale = (factors / norm)[0, 0]
    if multiplied_by(norm * scale):
        text = (
            "It looks as if input_norm was normalised: all scores are right up to one factor, "
            f"{float(scale):.4g}. The ranking is the same, but the score is defined without it, {SCORE}"
        )
        yield Cause(text, "input_norm normalised")


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors [out, in] of any floating type agree to a relative 1e-5."""
    return torch.allclose(one.float(), other.float(), rtol=1e-5, atol=0)


EXERCISE = Exercise("wanda_score", "4.1", cases, parts, cause)
