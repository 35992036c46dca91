"""Judges obs_drop, exercise 9.2: one weight goes, and the others make up for it as well as they can."""

import random
from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Named, first, see
from labsupport.check.judge.kit.compare import Wrong, has_shape, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

MAKES_UP = see("9.2", "Who makes up for it")


def cases(seed: int) -> list[Case]:
    """Rows [in] and inverse Hessians [in, in]: whole numbers, a diagonal, and correlated inputs."""
    source = draw.rng(seed, "obs_drop")
    small = draw.until(lambda: whole(source, 4), suits)
    diagonal = torch.tensor([source.choice((0.5, 2.0, 4.0)) for _ in range(5)]).diag()
    wide = correlated(source, 40, 12)
    zero = whole(source, 4)
    zero["weight_row"][zero["j"]] = 0.0
    return [
        Case("a row of four weights", small),
        Case("inputs that never move together: nothing else moves",
             {"weight_row": draw.distinct(source, 5), "inverse_hessian": diagonal, "j": source.randrange(5)}),
        Case("twelve correlated inputs", {**wide, "j": source.randrange(1, 11)}),
        Case("the first weight goes", {**wide, "j": 0}),
        Case("the last weight goes", {**wide, "j": 11}),
        Case("a weight that is zero already", zero),
        Case("a row of one weight",
             {"weight_row": draw.distinct(source, 1), "inverse_hessian": torch.tensor([[0.25]]), "j": 0}),
    ]  # fmt: skip


def whole(source: random.Random, count: int) -> dict:
    """A row [in] and an inverse Hessian [in, in] of whole numbers, which one can redo by hand."""
    inverse = torch.diag(torch.tensor([source.choice((8.0, 10.0, 16.0)) for _ in range(count)]))
    for i in range(count):
        for j in range(i):
            inverse[i, j] = inverse[j, i] = source.choice((-2.0, -1.0, 1.0, 2.0))
    return {
        "weight_row": draw.distinct(source, count),
        "inverse_hessian": inverse,
        "j": source.randrange(count),
    }


def correlated(source: random.Random, tokens: int, count: int) -> dict:
    """A row [in], and the inverse of X^T X for inputs X [T, in] that share much of what they say."""
    shared = draw.normal(source, tokens, 3) @ draw.normal(source, 3, count)  # [T, in]
    x = (draw.normal(source, tokens, count) + shared).double()
    return {
        "weight_row": draw.normal(source, count),
        "inverse_hessian": torch.linalg.inv(x.T @ x).float(),
    }


def suits(inputs: dict) -> bool:
    """Whether no two ways of going wrong agree on these inputs, and none is right."""
    return draw.apart([(best(inputs), "right"), *mistakes(inputs)], torch.allclose)


def root(inverse: torch.Tensor) -> torch.Tensor:
    """Inputs, float64 [in, in], whose X^T X has this inverse [in, in]."""
    return torch.linalg.cholesky(torch.linalg.inv(inverse.double()), upper=True)


def best(inputs: dict) -> torch.Tensor:
    """Float64 [in]: the row without weight j whose output is nearest: least squares on the kept inputs."""
    x, row, j = root(inputs["inverse_hessian"]), inputs["weight_row"].double(), inputs["j"]
    kept = [place for place in range(len(row)) if place != j]
    found = torch.zeros_like(row)
    if kept:
        found[kept] = torch.linalg.lstsq(x[:, kept], (x @ row)[:, None]).solution[:, 0]
    return found


def error(inputs: dict, row: torch.Tensor) -> float:
    """The squared distance that the layer's output moves when `row` [in] takes the place of the case's."""
    moved = root(inputs["inverse_hessian"]) @ (row.double() - inputs["weight_row"].double())  # [in]
    return float(moved.square().sum())


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the new row [in]."""
    row, inverse, j, found = inputs["weight_row"], inputs["inverse_hessian"], inputs["j"], answer.value
    least = error(inputs, best(inputs))
    slack = 1e-5 * least + 1e-9 * error(inputs, torch.zeros_like(row))

    def typed() -> None:
        is_tensor(found)
        if found.dtype is not row.dtype:
            raise Wrong(f"it is {found.dtype}")

    def finite() -> None:
        if not bool(found.isfinite().all()):
            raise Wrong("it holds inf or NaN", your_row=found)

    def dropped() -> None:
        if float(found[j]) != 0:
            raise Wrong(f"it is {float(found[j]):.3g}", **inputs, your_row=found)

    def smallest() -> None:
        if (yours := error(inputs, found)) > least + slack:
            show = {"weight_row": row, "inverse_hessian": inverse, "j": j, "your_row": found}
            raise Wrong(f"yours moves it by {yours:.6g}, and {least:.6g} is possible", **show)

    return [
        Part("returns a tensor of the type of weight_row", typed),
        Part(f"shape (in_features,) = ({len(row)},)", lambda: has_shape(found, row.shape)),
        Part("on the device of weight_row", lambda: on_same_device(answer)),
        Part("every weight is a finite number", finite),
        Part(f"weight {j} is exactly 0", dropped),
        Part("no other update moves the layer's output less, in squared distance", smallest),
    ]


def mistakes(inputs: dict) -> list[tuple[torch.Tensor, Named]]:
    """The rows [in] that each mistake gives, entry j set to zero, and its name."""
    row, inverse, j = inputs["weight_row"].double(), inputs["inverse_hessian"].double(), inputs["j"]
    hessian, count = torch.linalg.inv(inverse), len(row)
    column, pivot, before = inverse[:, j], inverse[j, j], (j - 1) % count
    found = [
        (
            row,
            "no other weight moved, as where weight j is set to 0 before its value is used. They can make up "
            "for a part of what is gone",
        ),
        (row + row[j] / pivot * column, "the others moved the wrong way: the sign is minus"),
        (row - row[j] * column, "[H^-1]_jj is missing: divide by it, so that weight j comes out as zero"),
        (row - row[j] / pivot.sqrt() * column, "a root was taken of [H^-1]_jj"),
        (row - row[j] / pivot**2 * column, "[H^-1]_jj was divided by twice"),
        (row - column / pivot, "w_j is missing: a larger weight leaves more to make up for"),
        (row - row[j] / hessian[j, j] * hessian[:, j], "the inverse was inverted again"),
        (row - row[j] / pivot * inverse.diagonal(), "its diagonal was taken, not its column j"),
        (row - row / pivot * column, "each weight was multiplied by its own value, not by that of weight j"),
        (row - row[before] / inverse[before, before] * inverse[:, before], "weight j - 1 was taken for j"),
    ]
    later = torch.arange(count) > j
    found += [
        (row - row[j] / pivot * column * later, "only the weights right of j moved: all others may"),
        (row - row[j] ** 2 / pivot * column, "w_j was squared: that is the score, not the move"),
        (-row[j] / pivot * column, "the change alone was returned: add it to the row"),
    ]
    looped = row - row[j] / pivot * column * ~later  # a loop that sets weight j to 0 on its way
    if 0 < j < count - 1:
        found.append(
            (looped, "only the weights left of j moved: a loop had set weight j to 0 before the others")
        )
    gone = torch.arange(count) == j
    return [(each.masked_fill(gone, 0), said) for each, said in found]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a wrong row shows."""
    row, inverse, j, found = inputs["weight_row"], inputs["inverse_hessian"], inputs["j"], answer.value
    if not isinstance(found, torch.Tensor) or found.shape != row.shape:
        return
    near = row - row[j] / inverse[j, j] * inverse[:, j]  # [in]
    if float(found[j]) != 0 and torch.allclose(found.float(), near, rtol=1e-4, atol=1e-5):
        yield (
            "Nearly: rounding leaves a tiny number where weight j was, and a mask needs a zero. "
            f"Set it to 0 yourself, {MAKES_UP}"
        )
    if torch.equal(found, row):
        yield f"It looks as if nothing was dropped: this is the row as it came, {MAKES_UP}"
    without = found.double().masked_fill(torch.arange(len(row)) == j, 0)
    for wrong, said in mistakes(inputs):
        if torch.allclose(without, wrong, rtol=1e-4, atol=1e-6):
            yield f"It looks as if {first(said).text}, {MAKES_UP}"


EXERCISE = Exercise("obs_drop", "9.2", cases, parts, cause)
