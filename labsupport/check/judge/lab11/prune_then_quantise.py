"""Judges prune_then_quantise, exercise 11.5: zeros that stay zero, and a grid for what is left."""

from collections.abc import Iterator
from typing import Any

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw, grids
from labsupport.check.judge.kit.carried import Earlier, scores
from labsupport.check.judge.kit.causes import Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, WrongForm, has_shape, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.lines import some_of
from labsupport.given.masks import kept

ZEROS = see("11.5", "Zero is no point of the grid")
ORDER = see("11.5", "Which comes first?")


def cases(seed: int) -> list[Case]:
    """Weights with a large one on a quiet input: it is dropped, and no grid must reach to it."""
    source = draw.rng(seed, "prune_then_quantise")

    def asked(rows: int, width: int, sparsity: float, bits: int, group: int) -> dict:
        weight = draw.distinct(source, rows, width)  # [out, in]
        norm = torch.tensor([source.choice((1.0, 1.7, 2.3, 3.1, 4.7)) for _ in range(width)])  # [in]
        quiet = source.randrange(width)
        norm[quiet] = 2.0**-10
        weight[:, quiet] *= 8 * rows * width / weight[:, quiet].abs()
        return {"weight": weight, "norm": norm, "sparsity": sparsity, "bits": bits, "group": group}

    plain = draw.until(lambda: asked(2, 8, 0.5, 2, 4), _suits)
    short = draw.until(lambda: asked(3, 10, draw.truncating_sparsity(source, 10), 3, 6), _is_clear)
    large = {**asked(48, 96, 0.5, 4, 32), "weight": draw.normal(source, 48, 96)}
    return [
        Case("2 bits, two groups of four in a row, half is dropped", plain),
        Case("the last group of a row is shorter", short),
        Case("nothing is dropped", {**plain, "sparsity": 0.0}),
        Case("everything is dropped", {**plain, "sparsity": 1.0}),
        Case("a larger matrix, 4 bits", large),
    ]


def _is_clear(inputs: dict) -> bool:
    """Whether no two scores of a row are alike."""
    score = (inputs["weight"].abs() * inputs["norm"]).sort(dim=1).values  # [out, in]
    return bool((score.diff(dim=1) > 1e-3 * score[:, 1:]).all())


def _suits(inputs: dict) -> bool:
    """Whether a case is clear, and each mistake comes to another weight, none to the right one."""
    mask = _mask(inputs)
    if not _is_clear(inputs) or not bool((mask.view(-1, inputs["group"]).sum(dim=1) > 1).all()):
        return False
    right = grids.rounded(inputs["weight"] * mask, inputs["bits"], inputs["group"]) * mask
    return draw.apart([(right, "right"), *mistakes(inputs)], torch.allclose)


def _mask(inputs: dict, score: torch.Tensor | None = None) -> torch.Tensor:
    score = inputs["weight"].abs() * inputs["norm"] if score is None else score
    return kept(score, inputs["sparsity"])  # [out, in]


def parts(inputs: dict, answer: Answer, given: Any = None) -> list[Part]:
    """What must hold of the weight [out, in]. given: what follows from the student's own functions."""
    weight, bits, group, found = inputs["weight"], inputs["bits"], inputs["group"], answer.value
    rows, width = weight.shape
    mask = _mask(inputs)  # [out, in]
    gone = round(inputs["sparsity"] * width)

    def typed() -> None:
        is_tensor(found)
        if found.dtype is not torch.float32:
            raise WrongForm(f"it is {found.dtype}")

    def shown(**more) -> dict:
        plain = {name: inputs[name] for name in ("weight", "norm")}
        return {**plain, "your_answer": found, **more}

    def zeros() -> None:
        back = int((found[~mask] != 0).sum())
        if back:
            raise Wrong(f"{some_of(back, int((~mask).sum()))} not 0", **shown(mask=mask))

    def on_grids() -> None:
        spans = grids.spans(weight, mask, group)
        off = torch.minimum(*(grids.off_grid(found, ends, bits, group) for ends in spans))  # [out, groups]
        if not bool((off < 1e-3).all()):
            raise Wrong(**shown(mask=mask))

    def near() -> None:
        low, high = grids.ends(weight * mask, group)  # [out, groups]
        half = (high - low) / (2**bits - 1) / 2  # [out, groups]
        error = ((found.double() - weight.double()).abs() * mask).nan_to_num(nan=torch.inf)  # [out, in]
        bound = grids.spread(half, group, width) * 1.001 + 1e-6 * weight.double().abs()
        if not bool((error <= bound).all()):
            worst = int((error - bound).argmax())
            raise Wrong(
                f"one is {float(error.flatten()[worst]):.4g} away, and half a step of its group is "
                f"{float(bound.flatten()[worst]):.4g}",
                **shown(half_a_step=half.float()),
            )

    def follows() -> None:
        if isinstance(given, torch.Tensor) and not grids.close(found, given):
            raise Wrong(**shown())

    rest = [
        Part("each weight that stays is at most half a step from where it was", near),
        Part(f"in each group the weights that stay lie on a grid of {2**bits} values", on_grids),
    ]
    if given is not None:
        rest = [Part("what your quantise and dequantise make of the pruned weight, zeros kept", follows)]
    return [
        Part("the answer is a torch.float32 tensor", typed),
        Part(f"shape (out_features, in_features) = {(rows, width)}", lambda: has_shape(found, (rows, width))),
        Part("on the device of the weight", lambda: on_same_device(answer)),
        Part(f"in each row the weights of lowest score, {gone} of {width}, are exactly 0", zeros),
        *rest,
    ]


def mistakes(inputs: dict) -> Iterator[tuple[torch.Tensor, Named]]:
    """The weight [out, in] that each mistake comes to, and its name."""
    weight, norm, _, bits, group = inputs.values()
    mask, score = _mask(inputs), weight.abs() * norm  # [out, in] each

    def under(other: torch.Tensor) -> torch.Tensor:
        return grids.rounded(weight * other, bits, group) * other

    dense = grids.rounded(weight, bits, group)  # [out, in]
    pruned = grids.rounded(weight * mask, bits, group)  # [out, in]
    zeros = f"the zeros moved to the nearest value of the grid, which is not 0. Drop them again, {ZEROS}"
    yield pruned, zeros
    low = grids.ends(weight * mask, group)[0]  # [out, groups]
    coded = torch.where(mask, pruned, grids.spread(low, group, weight.shape[1]))
    yield coded, f"the code of a dropped weight was set to 0. Code 0 stands for the smallest weight, {ZEROS}"
    first = (
        "the weight was quantised before it was pruned: the grid reaches to weights that are dropped "
        f"anyway, and its steps are too wide for the others, {ORDER}"
    )
    yield dense * mask, first
    on_grid = (
        "the weight was quantised first, and the scores are those of the rounded weights. Rounding makes "
        f"different weights equal, and others trade places, {ORDER}"
    )
    yield dense * _mask(inputs, dense.float().abs() * norm), on_grid
    yield weight.double() * mask, "the weight was pruned and not quantised."
    yield dense, "the weight was quantised and not pruned."
    yield under(_mask(inputs, weight.abs())), "the norm was left out: these are the masks of lab 02."
    whole = _mask(inputs, score.view(1, -1)).view(weight.shape)
    yield under(whole), "the scores were ranked over the whole matrix: rank inside rows."
    yield under(_mask(inputs, -score)), "the highest scores were dropped, and not the lowest."


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a weight shows."""
    found = answer.value
    if not isinstance(found, torch.Tensor) or found.shape != inputs["weight"].shape:
        return
    for weight, said in mistakes(inputs):
        if found.is_floating_point() and grids.close(found, weight):
            yield looks(said)
    width = found.shape[1]
    cut = kept(inputs["weight"].abs() * inputs["norm"], int(inputs["sparsity"] * width) / width)  # [out, in]
    if grids.close(found, grids.rounded(inputs["weight"] * cut, inputs["bits"], inputs["group"]) * cut):
        yield looks(
            "int() cut the number of weights that go down, or ceil() lifted that of those that stay. "
            "round(sparsity * in_features) go."
        )


def given(inputs: dict, earlier: Earlier) -> torch.Tensor:
    """What the student's quantise and dequantise make of the pruned weight: [out, in]."""
    mask, group = _mask(inputs), inputs["group"]
    weight = inputs["weight"] * mask  # [out, in]

    def three(value) -> None:
        if not isinstance(value, tuple | list) or len(value) != 3:
            raise Wrong("these are no codes, scale and zero")
        for tensor in value:
            is_tensor(tensor)
        has_shape(value[0], weight.shape)

    def rounded(value) -> None:
        is_tensor(value)
        has_shape(value, weight.shape)
        if bool(mask.any()):
            scores(*weight.shape)(value)

    asked = {"weight": weight, "bits": inputs["bits"], "group": group}
    names = ("codes", "scale", "zero")
    found = dict(zip(names, earlier("quantise", three, asked), strict=True))
    return earlier("dequantise", rounded, {**found, "group": group}) * mask


BUILDS_ON = ("quantise", "dequantise")
EXERCISE = Exercise("prune_then_quantise", "11.5", cases, parts, cause, builds_on=BUILDS_ON, given=given)
