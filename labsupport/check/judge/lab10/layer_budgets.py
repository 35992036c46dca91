"""10.3 layer_budgets: a sparsity for every layer, lower where outliers are many."""

from collections.abc import Iterator
from itertools import pairwise

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.budgets import EDGE, SPREAD, alike, budgets, mistakes
from labsupport.check.judge.kit.causes import Named
from labsupport.check.judge.kit.compare import Wrong, has_shape, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.shares import SLACK, are_numbers, are_shares


def cases(seed: int) -> list[Case]:
    """Ratios of a few layers and of many, skewed, all equal; budgets that meet 0 and 1."""
    source = draw.rng(seed, "layer_budgets")

    def some(count: int, sparsity: float) -> dict:
        return {"outlier_ratio": percents(source, count), "sparsity": sparsity}

    def beyond(inputs: dict) -> bool:
        """Whether the budgets leave the range from 0 to 1."""
        found = budgets(**inputs)
        return bool((found < -0.01).any()) or bool((found > 1.01).any())

    skewed, tied = some(30, 0.5), some(6, 0.5)
    skewed["outlier_ratio"] /= 10
    skewed["outlier_ratio"][source.randrange(30)] = 0.4
    tied["outlier_ratio"][source.randrange(1, 6)] = tied["outlier_ratio"][0]
    same = {"outlier_ratio": torch.full((4,), source.randrange(1, 9) / 64), "sparsity": 0.6}
    return [
        Case("four layers", draw.until(lambda: some(4, source.choice((0.4, 0.6, 0.7))), suits)),
        Case("thirty layers, one of them far above the others", skewed),
        Case("another spread", {**some(8, 0.5), "spread": 0.2}),
        Case("two layers with equal ratios", tied),
        Case("all layers alike: each gets the sparsity", same),
        Case("a sparsity of 0.95: no budget above 1", draw.until(lambda: some(6, 0.95), beyond)),
        Case("a sparsity of 0.03: no budget below 0", draw.until(lambda: some(6, 0.03), beyond)),
        Case("a sparsity of 0 drops nothing anywhere", some(5, 0.0)),
    ]


def percents(source, count: int) -> torch.Tensor:
    """Different ratios of 1 to 30 percent, float32 [count]."""
    return torch.tensor(source.sample(range(1, 31), count)) / 100


def suits(inputs: dict) -> bool:
    """Whether every mistake shows in budgets of its own."""
    return draw.apart([(budgets(**inputs), "right"), *mistakes(**inputs)], alike)


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the budgets, float32 [layers]."""
    ratio, sparsity, found = inputs["outlier_ratio"], inputs["sparsity"], answer.value
    spread = inputs.get("spread", SPREAD)
    few = {"outlier_ratio": ratio} if len(ratio) <= 8 else {}

    def mean() -> None:
        if not abs(found.double().mean().item() - sparsity) < 1e-6:
            raise Wrong(f"yours is {found.double().mean():.6f}", **few, your_budgets=found)

    def near() -> None:
        furthest = (found.double() - sparsity).abs().max().item()
        if furthest > spread + SLACK:
            raise Wrong(f"one of yours is {furthest:.4f} away", **few, your_budgets=found)

    def ordered() -> None:
        ends = (0.0, 1.0, sparsity - spread, sparsity + spread)
        order = ratio.argsort(stable=True).tolist()
        for one, other in pairwise(order):
            low, high = float(found[other]), float(found[one])
            at_an_end = abs(low - high) < SLACK and any(abs(low - end) < SLACK for end in ends)
            if ratio[one] == ratio[other]:
                wrong = abs(low - high) > SLACK
            else:
                wrong = low > high - 1e-9 and not at_an_end
            if wrong:
                raise Wrong(
                    f"layer {one} has a ratio of {ratio[one]:.4f} and a budget of {high:.4f}, layer {other} "
                    f"{ratio[other]:.4f} and {low:.4f}", **few
                )  # fmt: skip

    def straight() -> None:
        if not alike(found, budgets(ratio, sparsity, spread)):
            furthest = (found.double() - sparsity).abs().max().item()
            raise Wrong(f"your largest distance is {furthest:.4f}", **few, your_budgets=found)

    inside = spread <= sparsity <= 1 - spread and len(ratio.unique()) > 1
    proportional = (
        "distances from the sparsity are proportional to those of the ratios from their mean, the largest "
        "is the spread"
    )
    return [
        Part("a tensor of torch.float32 without NaN", lambda: are_numbers(found, few)),
        Part(f"shape (layers,) = ({len(ratio)},)", lambda: has_shape(found, ratio.shape)),
        Part("on the device of the ratios", lambda: on_same_device(answer)),
        Part("each budget is a share, from 0 to 1", lambda: are_shares(found, few)),
        Part(f"their mean is the sparsity, {sparsity:g}", mean),
        Part(f"none is further than {spread:g} from it", near),
        Part("the more outliers, the lower the budget; equal ratios, equal budgets", ordered),
        *([Part(proportional, straight)] if inside else []),
    ]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that wrong budgets show."""
    found, right = answer.value, budgets(**inputs)
    if bool(found.isnan().any()) and bool(right.isnan().all()):
        yield f"It looks as if 0 was divided by 0: where all layers are alike, no distance is left, {EDGE}"
    if "spread" in inputs and alike(found, budgets(inputs["outlier_ratio"], inputs["sparsity"])):
        yield "It looks as if `spread` is not used: its default, 0.08, was used."
    if bool((right < 0).any()) or bool((right > 1).any()):
        if alike(found, right):
            yield f"It looks as if nothing keeps the budgets between 0 and 1, {EDGE}"
        if alike(found, right.clamp(0, 1)):
            yield (
                "It looks as if the budgets were clipped to 0 and 1 at the end: then the others must give "
                f"what the clipped ones could not, or the mean goes with them, {EDGE}"
            )
        clipped = right.clamp(0, 1)
        if alike(found, clipped - clipped.mean() + inputs["sparsity"]):
            yield f"It looks as if the mean was mended after the clipping, which undoes the clipping, {EDGE}"
        if alike(found, clipped * inputs["sparsity"] / clipped.mean()):
            yield f"It looks as if the mean was mended after the clipping, which undoes the clipping, {EDGE}"
    for wrong, said in mistakes(**inputs):
        if alike(found, wrong):
            yield said


EXERCISE = Exercise("layer_budgets", "10.3", cases, parts, cause)
