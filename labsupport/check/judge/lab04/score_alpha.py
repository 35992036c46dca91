"""4.5 score_alpha: magnitudes of the weights times a power of the norms of their inputs."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.compare import Wrong, WrongForm, has_shape, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

POWER = see("4.5", "From magnitude to Wanda, and beyond")


def cases(seed: int) -> list[Case]:
    """Weights [out, in], norms [in] whose roots are whole numbers, and several powers."""
    source = draw.rng(seed, "score_alpha")

    def norms(count: int) -> torch.Tensor:
        return torch.tensor(source.sample([4.0, 9.0, 16.0, 25.0, 36.0, 49.0], count))  # [in]

    def loud(count: int) -> torch.Tensor:
        norm = norms(count)
        norm[source.randrange(count)] = 100.0
        return norm

    def dead(count: int) -> torch.Tensor:
        norm = loud(count)
        norm[source.randrange(count)] = 0.0
        return norm

    def case(title: str, out: int, norm: torch.Tensor, alpha: float) -> Case:
        weight = draw.distinct(source, out, len(norm))
        weight[0, 0] = -weight[0, 0].abs()  # one negative weight at least
        return Case(title, {"weight": weight, "input_norm": norm, "alpha": alpha})

    huge = torch.tensor(source.sample([90_000.0, 3.0, 0.5, 2.0, 7.0], 5))  # [in]
    half = {"weight": draw.distinct(source, 4, 5).half() / 8, "input_norm": huge, "alpha": 1.0}
    return [
        case("a small square matrix", 3, norms(3), 2.5),
        case("the root of the norm", 2, loud(5), 0.5),
        case("alpha 1: Wanda's score", 2, loud(4), 1.0),
        case("alpha 0: the magnitude, for an input that is always zero too", 3, dead(4), 0.0),
        case("an input that is always zero scores 0 with any other alpha", 3, dead(4), 0.5),
        Case("weights in half precision, a norm above its range", half),
    ]


def powers(input_norm: torch.Tensor, alpha: float) -> torch.Tensor:
    """The factor of each column, one by one in Python, float64 [in]; 0 to the power 0 is 1."""
    return torch.tensor([norm**alpha for norm in input_norm.tolist()], dtype=torch.float64)


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the score [out, in]."""
    weight, norm, alpha, score = inputs["weight"].float(), inputs["input_norm"], inputs["alpha"], answer.value
    shape = tuple(weight.shape)

    def typed() -> None:
        is_tensor(score)
        if not score.is_floating_point():
            raise WrongForm(f"it is {score.dtype}")

    def finite() -> None:
        if bool(score.isnan().any()):
            raise Wrong("there is NaN in it", input_norm=norm, your_score=score)
        if not bool(score.isfinite().all()):
            why = "float16 ends at 65504" if score.dtype is torch.float16 else "there is infinity in it"
            raise Wrong(why, input_norm=norm, your_score=score)

    def positive() -> None:
        if bool((score < 0).any()):
            raise Wrong(weight=weight, your_score=score)

    def by_column() -> None:
        factors = score / weight.abs()  # [out, in]; each row should be input_norm ** alpha
        if not close(factors, powers(norm, alpha)):
            raise Wrong(weight=weight, input_norm=norm, **{"your score / |W|": factors})

    return [
        Part("the score is a tensor of floating-point numbers", typed),
        Part(f"shape (out_features, in_features) = {shape}", lambda: has_shape(score, shape)),
        Part("on the device of the weight", lambda: on_same_device(answer)),
        Part("every score is finite", finite),
        Part("no score is negative", positive),
        Part(f"each magnitude is multiplied by its input's norm to the power {alpha:g}", by_column),
    ]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a wrong score shows."""
    weight, norm, alpha, score = inputs["weight"].float(), inputs["input_norm"], inputs["alpha"], answer.value
    if not isinstance(score, torch.Tensor) or score.shape != weight.shape:
        return
    magnitude, power = weight.abs(), powers(norm, alpha)  # [out, in], [in]
    factors = score / magnitude  # [out, in]
    dead = norm == 0  # [in]
    if alpha == 0 and (bool(score[:, dead].isnan().any()) or close(score, magnitude * ~dead)):
        yield (
            "It looks as if an input with norm 0 is treated apart, or by a logarithm. With alpha 0 "
            f"no norm counts, not even that one: 0 to the power 0 is 1, in torch too, {POWER}"
        )
    if bool((score < 0).any()) and close(factors.abs(), power):
        yield f"It looks as if the sign of the weights was kept, {POWER}\nTry weight.abs()."
    if len(weight) == len(norm) and close(factors, power[:, None]):
        yield (
            "It looks as if each output row was multiplied by a norm. The norms belong to the inputs, "
            f"the columns of the weight, {POWER}"
        )
    if alpha % 1 and any(close(factors, powers(norm, whole)) for whole in (int(alpha), int(alpha) + 1)):
        yield f"It looks as if alpha was made a whole number. It may be 0.5, {POWER}"
    if alpha != 1 and close(factors, norm):
        yield f"It looks as if alpha was not used: these are the scores of 4.1, {POWER}"
    if alpha not in (0, 1) and close(score, (magnitude * norm) ** alpha):
        yield (
            "It looks as if the whole score was raised to the power alpha. That changes no ranking: only the "
            f"norm gets the power, {POWER}"
        )
    if close(score, magnitude**alpha * norm):
        yield f"It looks as if the magnitude got the power alpha. The norm gets it, {POWER}"
    if close(factors, norm * alpha):
        yield (
            "It looks as if the norm was multiplied by alpha: a factor for all changes no ranking. Alpha is "
            f"an exponent, {POWER}\nTry norm ** alpha."
        )
    if close(factors, alpha ** norm.double()):
        yield f"It looks as if base and exponent changed places: it is norm ** alpha, {POWER}"
    if close(factors, 1 - alpha + alpha * norm):
        yield (
            "It looks as if magnitude and Wanda's score were mixed, with alpha as the share. That agrees at "
            f"0 and 1 alone: alpha is an exponent, {POWER}"
        )
    if close(factors, powers(norm, 2 * alpha)):
        yield f"It looks as if the norm was squared before it got its power, {POWER}"
    if close(score, magnitude + power):
        yield f"It looks as if the power of the norm was added. It is a factor, {POWER}"
    if alpha and bool(dead.any()) and close(factors[:, ~dead], power[~dead]):
        yield (
            "It looks as if something was added to the norms, or they were kept above 0. A weight on an "
            f"input that is always zero does nothing: its score is 0, {POWER}"
        )
    scale = (factors / power)[0, 0]
    if close(factors, power * scale):
        text = (
            "It looks as if input_norm was normalised: all scores are right up to one factor, "
            f"{float(scale):.4g}. The ranking is the same, but the score is defined without it, {POWER}"
        )
        yield Cause(text, "input_norm normalised")

    exponent = (factors.double().log() / norm.double().log())[0, 0]
    if close(factors, norm.double() ** exponent):
        text = (
            f"It looks as if the norm got the power {float(exponent):.3g}. Alpha is {alpha:g} here, {POWER}"
        )
        yield Cause(text, "another exponent")


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether a tensor and another, broadcast to it, agree to a relative 1e-5."""
    return torch.allclose(one.double(), other.double().expand_as(one), rtol=1e-5, atol=0)


EXERCISE = Exercise("score_alpha", "4.5", cases, parts, cause)
