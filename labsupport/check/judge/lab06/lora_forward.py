"""lora_forward: the outputs of a frozen layer with two thin matrices beside it."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw, lora
from labsupport.check.judge.kit.causes import Cause, Named, first, see
from labsupport.check.judge.kit.compare import Wrong, has_shape, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

BESIDE = see("6.1", "Two thin matrices")


def cases(seed: int) -> list[Case]:
    """Shapes of all kinds; b = 0; and a product B A that overflows although no output does."""
    source = draw.rng(seed, "lora_forward")
    square = draw.until(lambda: lora.drawn(source, (2,), 2, 2, 2), _suits)
    fresh = lora.drawn(source, (2,), 3, 4, 2)
    return [
        Case("two tokens, two inputs, two outputs", square),
        Case("one token of a layer that narrows", lora.drawn(source, (1,), 5, 3, 1)),
        Case("windows of tokens, [batch, length, in_features]", lora.drawn(source, (2, 3), 4, 6, 2)),
        Case("a single vector", lora.drawn(source, (), 3, 5, 2)),
        Case("b = 0, as before the first step", {**fresh, "b": torch.zeros(4, 2)}),  # [out, r]
        Case("a and b so large that the entries of B A overflow", _overflowing(source)),
    ]


def _suits(inputs: dict) -> bool:
    """Whether no two ways of going wrong agree on these inputs, and none is right."""
    return draw.apart([(lora.outputs(**inputs), "right"), *mistakes(inputs)], torch.equal)


def _overflowing(source) -> dict:
    """Inputs on which x A^T and the outputs are small, and an entry of B A is too large for float32."""
    inputs = lora.drawn(source, (3,), 4, 5, 2)
    sizes = {"x": 2.0**-100, "weight": 2.0**120, "a": 2.0**100, "b": 2.0**29}
    return {**inputs, **{name: inputs[name] * size for name, size in sizes.items()}}


def _shape(inputs: dict) -> tuple[int, ...]:
    """The shape of the outputs: [..., out]."""
    return (*inputs["x"].shape[:-1], len(inputs["weight"]))


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the outputs [..., out]."""
    found, x, shape = answer.value, inputs["x"], _shape(inputs)

    def typed() -> None:
        is_tensor(found)
        if found.dtype is not x.dtype:
            raise Wrong(f"it is {found.dtype}")

    def finite() -> None:
        if not bool(found.isfinite().all()):
            raise Wrong("it holds inf or NaN", your_output=found)

    def right() -> None:
        expected = lora.outputs(**inputs)  # [..., out]
        if not torch.allclose(found.double(), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max())):
            raise Wrong(**inputs, your_output=found)

    return [
        Part("a tensor of the type of x", typed),
        Part(f"shape {shape}: one output for every row of weight", lambda: has_shape(found, shape)),
        Part("on the device of x", lambda: on_same_device(answer)),
        Part("every output is a finite number", finite),
        Part("the layer's own output plus what the two thin matrices add", right),
    ]


def mistakes(inputs: dict) -> list[tuple[torch.Tensor, Named]]:
    """The outputs [..., out] that each mistake gives, and its name. Some need square matrices."""
    x, weight, a, b = (inputs[name].double() for name in ("x", "weight", "a", "b"))
    scaling, rank = inputs["scaling"], len(a)
    dense = lora.outputs(x, weight, a, b * 0, 1.0)  # [..., out]
    added = lora.outputs(x, weight * 0, a, b, 1.0)  # [..., out]
    missing = f"It looks as if scaling is missing: {scaling:g} times the LoRA part is added."
    found = [
        (dense, "It looks as if the LoRA matrices were not used: this is the output of the frozen layer."),
        (scaling * added, "It looks as if the frozen layer is missing: LoRA adds to its output."),
        (dense + added, Cause(missing, "scaling is missing")),
        (dense - scaling * added, "It looks as if the LoRA part was taken away: it is added."),
        (
            scaling * dense + added,
            "It looks as if scaling went to the frozen layer: the LoRA part is scaled.",
        ),
        (dense + scaling**2 * added, "It looks as if the LoRA part was scaled twice."),
        (
            scaling * (dense + added),
            "It looks as if the output of the frozen layer was scaled too; only the LoRA part is.",
        ),
        (
            dense + scaling / rank * added,
            "It looks as if scaling was divided by the rank. It already is alpha / r.",
        ),
        (
            lora.outputs(x, weight.T, a, b, scaling),
            "It looks as if weight is not transposed: it is [out, in], and x has its inputs last.",
        ),
    ]
    if x.shape == weight.shape == weight.T.shape:
        inner = lora.outputs(x.T, weight * 0, a, b, 1.0).T  # B A times x: [out, in]
        columns = (
            "It looks as if x was taken for columns. Its last axis holds the features, so x stands on the "
            "left of each product, and the matrices are transposed."
        )
        found += [
            (dense + scaling * added.T, columns),
            ((dense + scaling * added).T, columns),
            (weight @ x + scaling * inner, columns),
            (dense + scaling * inner, columns),
        ]
    if a.shape == b.shape:
        exchanged = (
            "It looks as if a and b changed places, or were taken as they stand instead of transposed: "
            "a is [r, in] and comes first, b is [out, r]."
        )
        for one, other in ((a.T, b.T), (b.T, a.T), (b, a), (a.T, b), (a, b.T)):
            found.append((lora.outputs(x, weight, one, other, scaling), exchanged))
    return found


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that outputs of the right shape show."""
    found = answer.value
    if found.shape != _shape(inputs):
        return
    if not bool(found.isfinite().all()) and not bool((inputs["b"] @ inputs["a"]).isfinite().all()):
        yield (
            "It looks as if the product B A was formed: its entries overflow here, though no output does. "
            f"Go through the rank first, x A^T, then to the outputs, {BESIDE}\n"
            "Try (x @ a.T).shape: how many numbers is that for each token?"
        )
    for wrong, said in mistakes(inputs):
        if torch.allclose(found.double(), wrong, rtol=1e-5):
            named = first(said)
            yield Cause(f"{named.text} S{BESIDE[1:]}", named.name)


EXERCISE = Exercise("lora_forward", "6.1", cases, parts, cause)
