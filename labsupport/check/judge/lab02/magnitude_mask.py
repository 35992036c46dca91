"""2.1 magnitude_mask: the smallest magnitudes of one matrix go."""

import random
from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Named
from labsupport.check.judge.kit.compare import has_shape, is_mask, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.magnitudes import mask_mistakes, right_count, smallest_dropped
from labsupport.check.judge.kit.ranges import range_cases
from labsupport.selection import kth_smallest


def cases(seed: int) -> list[Case]:
    """Weights [out, in]: small, rounded, tied, in half precision, and the ends of the sparsity range."""
    source = draw.rng(seed, "magnitude_mask")
    plain = draw.until(lambda: loud_row(source), tells_apart)
    rounded = draw.distinct(source, 7, 9)
    tied = draw.tied(source, 4, 6)
    half = draw.normal(source, 15, 25).half()
    alike = 1 + draw.distinct(source, 4, 6).abs() / 8192  # told apart by float32 alone
    alike.view(-1)[source.sample(range(24), 8)] = 0
    return [
        Case("a small matrix", {"weight": plain, "sparsity": 1 / 3}),
        Case(
            "round(sparsity * n) weights go, where int() would give one less",
            {"weight": rounded, "sparsity": draw.truncating_sparsity(source, 63)},
        ),
        Case("equal magnitudes at the cut", {"weight": tied, "sparsity": source.choice((0.25, 0.5, 0.75))}),
        Case("weights in half precision", {"weight": half, "sparsity": 0.5}),  # 188 of 375 go
        Case("zeros among the weights, and the others nearly equal", {"weight": alike, "sparsity": 0.75}),
        Case("a sparsity so small that nothing goes", {"weight": plain, "sparsity": 0.01}),
        *range_cases({"weight": plain}),
    ]


def loud_row(source: random.Random) -> torch.Tensor:
    """A weight [3, 4], one of its rows ten times as large: ranking inside rows gives another mask."""
    weight = draw.distinct(source, 3, 4)
    weight[source.randrange(3)] *= 10
    return weight


def tells_apart(weight: torch.Tensor) -> bool:
    """Whether the masks of a weight [3, 4] differ that drop a third of it rightly and by each mistake."""
    signed, magnitude = weight.flatten(), weight.abs().flatten()  # [12]

    def kept(scores: torch.Tensor, k: int) -> torch.Tensor:
        return scores > kth_smallest(scores, k)  # bool, shaped as scores

    outcomes = [
        (kept(magnitude, 4), "right"),
        (~kept(magnitude, 4), "inverted"),
        (kept(-magnitude, 4), "the largest dropped"),
        (kept(signed, 4), "signed"),
        (kept(weight.abs(), 1).flatten(), "row by row"),
        (kept(magnitude, 8), "a third kept"),
        *(
            (magnitude > size / 3, "a threshold")
            for size in (magnitude.max(), magnitude.mean(), weight.std())
        ),
    ]
    return draw.apart(outcomes, torch.equal)


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the mask, bool [out, in]."""
    weight, mask, sparsity = inputs["weight"], answer.value, inputs["sparsity"]
    scores = weight.abs().flatten().float()  # [out * in]
    k = round(sparsity * len(scores))
    return [
        Part("the mask is torch.bool", lambda: is_mask(mask)),
        Part(
            f"shape (out_features, in_features) = {tuple(weight.shape)}",
            lambda: has_shape(mask, weight.shape),
        ),
        Part("on the device of the weight", lambda: on_same_device(answer)),
        Part(
            f"{k} of {len(scores)} weights dropped, as sparsity = {sparsity:.3g} asks",
            lambda: right_count(weight, mask, scores, k),
        ),
        Part("those with the smallest magnitudes", lambda: smallest_dropped(weight, mask, scores, k)),
    ]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a wrong mask shows."""
    return mask_mistakes(inputs["weight"].float(), answer.value, inputs["sparsity"])


EXERCISE = Exercise("magnitude_mask", "2.1", cases, parts, cause)
