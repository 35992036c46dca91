"""The exercises of lab 06, recovery: LoRA matrices beside frozen weights, and how they are merged."""

from collections.abc import Callable, Iterator

import torch

from labsupport.check import draws, recovering
from labsupport.check.compare import has_shape, is_tensor, on_same_device
from labsupport.check.exercise import Case, Exercise, Part, Wrong
from labsupport.check.lab04 import first
from labsupport.check.recovering import FILLS

BESIDE = 'see section 6.1, "Two thin matrices".'

# 6.1 lora_forward


def forward_cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "lora_forward")
    square = _clear(lambda: _forward_inputs(source, (2,), 2, 2, 2), _outputs, _forward_mistakes)
    fresh = _forward_inputs(source, (2,), 3, 4, 2)
    return [
        Case("two tokens, two inputs, two outputs", square),
        Case("one token of a layer that narrows", _forward_inputs(source, (1,), 5, 3, 1)),
        Case("windows of tokens, [batch, length, in_features]", _forward_inputs(source, (2, 3), 4, 6, 2)),
        Case("a single vector", _forward_inputs(source, (), 3, 5, 2)),
        Case("b = 0, as before the first step", {**fresh, "b": torch.zeros(4, 2)}),
        Case("a and b so large that the entries of B A overflow", _overflowing(source)),
    ]  # fmt: skip


def _forward_inputs(source, axes: tuple, wide: int, out: int, rank: int) -> dict:
    return {
        "x": draws.distinct(source, *axes, wide),
        "weight": draws.distinct(source, out, wide),
        "a": draws.distinct(source, rank, wide),
        "b": draws.distinct(source, out, rank),
        "scaling": source.choice((0.5, 2.0, 4.0)),
    }


def _overflowing(source) -> dict:
    """x A^T is small, B times it is, and so is the answer; an entry of B A has no place in float32."""
    inputs = _forward_inputs(source, (3,), 4, 5, 2)
    return {**inputs, "x": inputs["x"] * 2.0**-100, "weight": inputs["weight"] * 2.0**120,
            "a": inputs["a"] * 2.0**100, "b": inputs["b"] * 2.0**29}  # fmt: skip


def _clear(draw: Callable[[], dict], right: Callable, mistakes: Callable) -> dict:
    """Inputs on which no two ways of going wrong agree, and none is right."""
    while True:
        inputs = draw()
        answers = [right(**inputs), *(wrong for wrong, _ in mistakes(inputs))]
        if not any(torch.equal(one, other) for i, one in enumerate(answers) for other in answers[:i]):
            return inputs


def _outputs(x, weight, a, b, scaling) -> torch.Tensor:
    """The answer, in double precision, summed entry by entry."""
    x, weight, a, b = (value.double() for value in (x, weight, a, b))
    dense = torch.einsum("...i,oi->...o", x, weight)
    return dense + scaling * torch.einsum("...r,or->...o", torch.einsum("...i,ri->...r", x, a), b)


def forward_parts(inputs: dict, answer: dict) -> list[Part]:
    found, x = answer["value"], inputs["x"]
    shape = (*x.shape[:-1], len(inputs["weight"]))

    def typed() -> None:
        is_tensor(found)
        if found.dtype is not x.dtype:
            raise Wrong(f"it is {found.dtype}")

    def finite() -> None:
        if not bool(found.isfinite().all()):
            raise Wrong("it holds inf or NaN", your_output=found)

    def right() -> None:
        expected = _outputs(**inputs)
        if not torch.allclose(found.double(), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max())):
            raise Wrong(**inputs, your_output=found)

    return [
        Part("a tensor of the type of x", typed),
        Part(f"shape {shape}: one output for every row of weight", lambda: has_shape(found, shape)),
        Part("on the device of x", lambda: on_same_device(answer)),
        Part("every output is a finite number", finite),
        Part("the layer's own output plus what the two thin matrices add", right),
    ]


def _forward_mistakes(inputs: dict) -> list[tuple[torch.Tensor, str]]:
    """What mistakes give on square matrices, and their names."""
    x, weight, a, b = (inputs[name].double() for name in ("x", "weight", "a", "b"))
    scaling, rank = inputs["scaling"], len(a)
    dense = _outputs(x, weight, a, b * 0, 1.0)
    added = _outputs(x, weight * 0, a, b, 1.0)
    found = [
        (dense, "It looks as if the LoRA matrices had no say: this is the output of the frozen layer."),
        (scaling * added, "It looks as if the frozen layer is missing: LoRA adds to its output."),
        (dense + added, f"It looks as if scaling is missing: {scaling:g} times the LoRA part is added."),
        (scaling * (dense + added), "It looks as if the output of the frozen layer was scaled too; only the "
                                    "LoRA part is."),
        (dense + scaling / rank * added, "It looks as if scaling was divided by the rank. It already is "
                                         "alpha / r."),
        (_outputs(x, weight.T, a, b, scaling), "It looks as if weight is not transposed: it is [out, in], "
                                               "and x has its inputs last."),
    ]  # fmt: skip
    if x.shape == weight.shape == weight.T.shape:
        inner = _outputs(x.T, weight * 0, a, b, 1.0).T  # B A times x
        for wrong in (
            dense + scaling * added.T,
            (dense + scaling * added).T,
            weight @ x + scaling * inner,
            dense + scaling * inner,
        ):
            found.append(
                (
                    wrong,
                    "It looks as if x was taken for columns. Its last axis holds the features, "
                    "so x stands on the left of each product, and the matrices are transposed.",
                )
            )
    if a.shape == b.shape:
        exchanged = "It looks as if a and b changed places, or were taken as they stand instead of transposed"
        for one, other in ((a.T, b.T), (b.T, a.T), (b, a), (a.T, b), (a, b.T)):
            found.append((_outputs(x, weight, one, other, scaling), f"{exchanged}: "
                          "a is [r, in] and comes first, b is [out, r]."))  # fmt: skip
    return found


@first
def forward_cause(inputs: dict, answer: dict) -> Iterator[str]:
    found = answer["value"]
    if not bool(found.isfinite().all()):
        yield (
            "It looks as if the product B A was formed: its entries overflow here, though no output does. "
            f"Go through the rank first, x A^T, then to the outputs, {BESIDE}\n"
            "Try (x @ a.T).shape: how many numbers is that for each token?"
        )
    for wrong, sentence in _forward_mistakes(inputs):
        if torch.allclose(found.double(), wrong, rtol=1e-5):
            yield f"{sentence} {BESIDE[0].upper()}{BESIDE[1:]}"


# 6.2 merge_lora


def merge_cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "merge_lora")
    plain = _clear(lambda: _merge_inputs(source, 2, 2, 2), _merged, _merge_mistakes)
    fresh = _merge_inputs(source, 3, 4, 2)
    masked = [
        _masked(source, _merge_inputs(source, 3, 4, 2)),
        _masked(source, _merge_inputs(source, 8, 6, 3)),
    ]
    zero_inside = _masked(source, _merge_inputs(source, 4, 4, 1))
    kept = zero_inside["mask"].nonzero()
    row, column = kept[source.randrange(len(kept))].tolist()
    zero_inside["weight"][row, column] = 0.0
    return [
        Case("two outputs, two inputs, no mask", plain),
        Case("a layer that narrows, rank 1", _merge_inputs(source, 2, 5, 1)),
        Case("a mask with half of the weights gone", masked[0]),
        Case("a mask on a larger weight", masked[1]),
        Case("a kept weight that happens to be zero learns as well", zero_inside),
        Case("a mask that keeps everything", {**fresh, "mask": torch.ones(3, 4, dtype=torch.bool)}),
        Case("b = 0, as before the first step", {**fresh, "b": torch.zeros(3, 2)}),
    ]


def _merge_inputs(source, out: int, wide: int, rank: int) -> dict:
    inputs = _forward_inputs(source, (1,), wide, out, rank)
    return {name: inputs[name] for name in ("weight", "a", "b", "scaling")}


def _masked(source, inputs: dict) -> dict:
    """The same with half of the weights pruned, at places where LoRA would fill in something."""
    mask = torch.zeros(inputs["weight"].numel(), dtype=torch.bool)
    mask[source.sample(range(len(mask)), len(mask) // 2)] = True
    mask = mask.view_as(inputs["weight"])
    return {**inputs, "weight": inputs["weight"].masked_fill(~mask, 0), "mask": mask}


def _merged(weight, a, b, scaling, mask=None) -> torch.Tensor:
    """The merged weight before any mask, read off the outputs of unit vectors: [out, in] in double."""
    return _outputs(torch.eye(weight.shape[1]), weight, a, b, scaling).T


def merge_parts(inputs: dict, answer: dict) -> list[Part]:
    found, weight, mask = answer["value"], inputs["weight"], inputs.get("mask")
    keep = torch.ones_like(weight, dtype=torch.bool) if mask is None else mask

    def typed() -> None:
        is_tensor(found)
        if found.dtype is not weight.dtype:
            raise Wrong(f"it is {found.dtype}")

    def zeros() -> None:
        if filled := int((found[~keep] != 0).sum()):
            raise Wrong(
                f"{filled} of {int((~keep).sum())} are not",
                mask=mask,
                weight=weight,
                your_merged_weight=found,
            )

    def learned() -> None:
        if not torch.allclose(found[keep].double(), _merged(**inputs)[keep], rtol=1e-5):
            show = inputs if mask is None else {"mask": mask, "weight": weight}
            raise Wrong(**show, your_merged_weight=found)

    whole = "the frozen layer with this weight does what the layer with LoRA did"
    return [
        Part("a tensor of the type of weight", typed),
        Part(f"shape (out_features, in_features) = {tuple(weight.shape)}",
             lambda: has_shape(found, tuple(weight.shape))),
        Part("on the device of weight", lambda: on_same_device(answer)),
        *([Part("weights that the mask drops are zero", zeros)] if mask is not None else []),
        Part(whole if mask is None else "weights that the mask keeps have learned", learned),
    ]  # fmt: skip


def _merge_mistakes(inputs: dict) -> list[tuple[torch.Tensor, str]]:
    weight, a, b = (inputs[name].double() for name in ("weight", "a", "b"))
    scaling, rank = inputs["scaling"], len(a)
    added = _merged(weight * 0, a, b, 1.0)
    found = [
        (weight, "It looks as if nothing was merged: this is the weight as it came."),
        (scaling * added, "It looks as if the weight itself is missing: LoRA adds to it."),
        (weight + added, f"It looks as if scaling is missing: {scaling:g} times the LoRA part is added."),
        (weight - scaling * added, "It looks as if the LoRA part was taken away: it is added."),
        (weight + scaling / rank * added, "It looks as if scaling was divided by the rank; it already is."),
        (scaling * (weight + added), "It looks as if the weight was scaled too; only the LoRA part is."),
    ]
    if weight.shape[0] == weight.shape[1]:
        found.append((weight + scaling * added.T, "It looks as if the LoRA part is transposed."))
    if a.shape == b.shape:
        swapped = "It looks as if a and b changed places: the product must be [out, in]."
        for one, other in ((a, b), (a.T, b), (a, b.T)):
            found.append((weight + scaling * one @ other, swapped))
    return found


@first
def merge_cause(inputs: dict, answer: dict) -> Iterator[str]:
    found, mask = answer["value"].double(), inputs.get("mask")
    if mask is not None:
        if torch.allclose(found, _merged(**inputs), rtol=1e-5):
            yield (
                f"It looks as if the mask had no say: B A is dense, so merging fills the zeros, {FILLS}\n"
                "Try (merged == 0).float().mean() before and after."
            )
        if bool((found[mask] == 0).all()) and bool((found[~mask] != 0).any()):
            yield "It looks as if the mask is inverted: in this course True means keep."
        if bool((found == 0)[inputs["weight"] == 0].all()) and bool((inputs["weight"] == 0)[mask].any()):
            yield (
                "It looks as if the zeros of weight were taken for the mask. A kept weight may be zero by "
                f"chance; the mask knows which, {FILLS}"
            )
    for wrong, sentence in _merge_mistakes(inputs):
        wrong = wrong if mask is None else wrong * mask
        if torch.allclose(found, wrong, rtol=1e-5):
            yield sentence


EXERCISES = [
    Exercise("lora_forward", "6.1", forward_cases, forward_parts, forward_cause),
    Exercise("merge_lora", "6.2", merge_cases, merge_parts, merge_cause),
    Exercise(
        "recover", "6.3", recovering.cases, recovering.parts, first(recovering.mistakes), recovering.ask
    ),
]
