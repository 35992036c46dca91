"""2.4 sensitivity_budgets: a sparsity for every group of weights, lower where it suffers more."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Named
from labsupport.check.judge.kit.compare import Wrong, has_shape, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.shared_out import (
    FULL,
    alike,
    budgets,
    ease,
    mean,
    mistakes,
    once,
    scaled,
)
from labsupport.check.judge.kit.shares import SLACK, are_numbers, are_shares


def cases(seed: int) -> list[Case]:
    """Groups with round numbers, thirty of them, some that are full, and the ends of the range."""
    source = draw.rng(seed, "sensitivity_budgets")

    def some(count: int, sparsity: float, largest: int = 9) -> dict:
        """Groups of 100 to 900 weights; the cube root of the rise per weight is a tenth of a whole number."""
        sizes = torch.tensor([100 * source.randrange(1, 10) for _ in range(count)])
        roots = torch.tensor(source.choices(range(1, largest + 1), k=count))
        return {"rise": sizes * roots**3 / 1000, "sizes": sizes, "sparsity": sparsity}

    def rounds(inputs: dict) -> int:
        """How often groups are clipped until none is above 1."""
        found, free = 0, torch.ones(len(inputs["rise"]), dtype=torch.bool)
        above = free & (clear(inputs) > 1)
        while bool(above.any()):
            found, free = found + 1, free & ~above
            above = free & (clear(inputs, free) > 1.01)
        return found

    same = {**some(4, 0.6), "sparsity": 0.6}
    same["rise"] = same["sizes"] / 1000
    return [
        Case("four groups", draw.until(lambda: some(4, source.choice((0.2, 0.3, 0.4)), 5), suits)),
        Case("thirty groups", draw.until(lambda: some(30, 0.25), lambda inputs: rounds(inputs) == 0)),
        Case("groups that suffer alike, weight for weight, get the same", same),
        Case("a group is full", draw.until(lambda: some(5, 0.6, 5), lambda inputs: rounds(inputs) == 1)),
        Case(
            "another group is full only after the first one is",
            draw.until(lambda: some(6, 0.75, 5), lambda inputs: rounds(inputs) >= 2),
        ),
        Case("a sparsity of 1 drops everything", some(5, 1.0)),
        Case("a sparsity of 0 drops nothing", some(5, 0.0)),
    ]


def clear(inputs: dict, free: torch.Tensor | None = None) -> torch.Tensor:
    """The budgets without regard to 1; of the free groups, where all others lose everything, [groups]."""
    values, sizes, sparsity = ease(inputs["rise"], inputs["sizes"]), inputs["sizes"], inputs["sparsity"]
    if free is None:
        return scaled(values, sizes, sparsity)
    left = sparsity * sizes.sum() - sizes[~free].sum()
    return values * (left / (values * sizes)[free].sum())


def suits(inputs: dict) -> bool:
    """Whether no group is nearly full, and every mistake shows in budgets of its own."""
    right = budgets(**inputs)
    outcomes = [(right, "right"), *mistakes(**inputs)]
    return float(clear(inputs).max()) < 0.95 and draw.apart(outcomes, alike)


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the budgets, float [groups]."""
    rise, sizes, sparsity, found = inputs["rise"], inputs["sizes"], inputs["sparsity"], answer.value
    few = {"rise": rise, "sizes": sizes} if len(rise) <= 8 else {}

    def adds_up() -> None:
        gone = mean(found, sizes)
        if not abs(gone - sparsity) < SLACK:
            raise Wrong(f"yours drop {gone:.4f} of them", **few, your_budgets=found)

    def proportional() -> None:
        if not alike(found, budgets(**inputs)):
            each = (rise.double() / sizes) ** (1 / 3)  # [groups]
            shown = {"cube root of rise / size": each, "your budget * cube root": found * each} if few else {}
            raise Wrong(**few, your_budgets=found, **shown)

    return [
        Part("a tensor of torch.float32 without NaN", lambda: are_numbers(found, few)),
        Part(f"shape (groups,) = ({len(rise)},)", lambda: has_shape(found, rise.shape)),
        Part("on the device of the rises", lambda: on_same_device(answer)),
        Part("each budget is a share, from 0 to 1", lambda: are_shares(found, few)),
        Part(f"together they drop {sparsity:g} of all weights", adds_up),
        Part("budget * cube root of the rise per weight is the same for all groups below 1", proportional),
    ]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that wrong budgets show."""
    found, sparsity, sizes = answer.value, inputs["sparsity"], inputs["sizes"]
    right, free = budgets(**inputs), clear(inputs)
    if bool((free > 1 + SLACK).any()):
        clipped = free.clamp(max=1)
        if alike(found, free):
            yield f"It looks as if nothing keeps the budgets at 1 or below, {FULL}"
        if alike(found, clipped):
            yield (
                "It looks as if the budgets were clipped to 1 and left so: the other groups must lose "
                f"what a full one cannot, {FULL}"
            )
        if alike(found, scaled(clipped, sizes, sparsity)):
            yield (
                "It looks as if all budgets were scaled again after the clipping, the full ones too: then "
                f"these are above 1 again, {FULL}"
            )
        if float(right.min()) < 1 and alike(found, once(**inputs, in_proportion=False)):
            yield (
                "It looks as if what a full group cannot lose was shared out evenly. The others keep their "
                f"proportions, {FULL}"
            )
        again = once(**inputs, in_proportion=True)
        if float(right.min()) < 1 and (alike(found, again) or alike(found, again.clamp(max=1))):
            yield f"It looks as if groups were clipped once: then another one may be above 1, {FULL}"
    for wrong, said in mistakes(**inputs):
        if alike(found, wrong):
            yield said


EXERCISE = Exercise("sensitivity_budgets", "2.4", cases, parts, cause)
