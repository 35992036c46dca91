"""6.4 masked_lora_forward: LoRA under the mask, so that what is trained is what is merged."""

import random
from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import NOT_SENT
from labsupport.check.ask.own.masked_lora_forward import LEARN, Learning
from labsupport.check.judge.kit import draw, lora
from labsupport.check.judge.kit.causes import Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, WrongForm, has_shape, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

THROUGH = see("6.4", "One mask for both paths")


def cases(seed: int) -> list[Case]:
    """Pruned layers of all shapes; masks over other weights, with an empty row, without a zero; b = 0."""
    source = draw.rng(seed, "masked_lora_forward")
    square = draw.until(lambda: _with_a_kept_zero(source, _drawn(source, (2,), 2, 2, 2)), _suits)
    zero_inside = _with_a_kept_zero(source, _pruned(_drawn(source, (3,), 4, 4, 1)))
    empty, full = _drawn(source, (2, 2), 4, 5, 2), _drawn(source, (3,), 4, 3, 2)
    empty["mask"] = torch.arange(5)[:, None].expand(5, 4) != source.randrange(5)  # [out, in]
    full["mask"] = torch.ones(3, 4, dtype=torch.bool)  # [out, in]
    fresh = _pruned(_drawn(source, (3,), 4, 3, 2))
    return [
        Case("two tokens, two inputs, two outputs", square),
        Case("one token of a layer that narrows, rank 1", _pruned(_drawn(source, (1,), 5, 3, 1))),
        Case("windows of tokens, [batch, length, in_features]", _pruned(_drawn(source, (2, 3), 6, 4, 2))),
        Case("a single vector", _pruned(_drawn(source, (), 4, 6, 2))),
        Case("a kept weight that happens to be zero learns as well", zero_inside),
        Case("a mask over weights that are not zero yet", _drawn(source, (2, 2), 4, 5, 2)),
        Case("an output that loses all of its weights", empty),
        Case("a mask that keeps everything", full),
        Case("b = 0, as before the first step", {**fresh, "b": torch.zeros(3, 2)}),  # [out, r]
    ]


def _drawn(source: random.Random, axes: tuple[int, ...], wide: int, out: int, rank: int) -> dict:
    """A layer with LoRA, a mask [out, in] that keeps half, and the gradient of the outputs, [*axes, out]."""
    kept = set(source.sample(range(out * wide), out * wide // 2))
    mask = torch.tensor([place in kept for place in range(out * wide)]).view(out, wide)
    inputs = lora.drawn(source, axes, wide, out, rank)
    return {**inputs, "mask": mask, "upstream": draw.distinct(source, *axes, out)}


def _pruned(inputs: dict) -> dict:
    """The same layer, its dropped weights at zero already."""
    return {**inputs, "weight": inputs["weight"].masked_fill(~inputs["mask"], 0)}


def _with_a_kept_zero(source: random.Random, inputs: dict) -> dict:
    """The same layer, with one of its kept weights at zero."""
    row, column = source.choice(inputs["mask"].nonzero().tolist())
    inputs["weight"][row, column] = 0.0
    return inputs


def _suits(inputs: dict) -> bool:
    """Whether no two ways of going wrong agree on these inputs, and none is right."""
    found = [(_outputs(inputs), "right"), *mistakes(inputs)]
    masked, dense = (_slopes(inputs, places) for places in (inputs["mask"], torch.ones(2, 2)))
    return not torch.equal(masked["a"], dense["a"]) and draw.apart(found, torch.equal)


def _outputs(inputs: dict) -> torch.Tensor:
    """Float64 [..., out]: what the layer computes when its LoRA is merged as in 6.2."""
    x, weight, a, b, scaling, mask, _ = inputs.values()
    merged = lora.outputs(torch.eye(weight.shape[1]), weight, a, b, scaling).T * mask  # [out, in]
    return torch.einsum("...i,oi->...o", x.double(), merged)


def _slopes(inputs: dict, places: torch.Tensor) -> dict[str, torch.Tensor]:
    """The gradients of x, a and b, float64, where those of a and b come through these places, [out, in]."""
    x, weight, a, b, up = (inputs[name].double() for name in ("x", "weight", "a", "b", "upstream"))
    merged = (weight + inputs["scaling"] * b @ a) * inputs["mask"]  # [out, in]
    tokens, ups = x.reshape(-1, weight.shape[1]), up.reshape(-1, len(weight))  # [T, in], [T, out]
    of_update = inputs["scaling"] * torch.einsum("to,ti->oi", ups, tokens) * places  # [out, in]
    return {"x": up @ merged, "a": b.T @ of_update, "b": of_update @ a.T}


def _sent(answer: Learning) -> dict[str, torch.Tensor | None]:
    """The gradients of x, a and b. Raises Wrong where there are none."""
    slopes = answer.slopes
    if slopes is None:
        raise Wrong(NOT_SENT)
    if slopes.error:
        raise Wrong(f"{slopes.error.names[0]}: {slopes.error.text}")
    if not isinstance(slopes.value, list) or len(slopes.value) != len(LEARN):
        raise Wrong(NOT_SENT)
    return dict(zip(LEARN, slopes.value, strict=True))


def _alike(found, expected: torch.Tensor) -> bool:
    """Whether this is a tensor of that shape with those numbers, up to rounding."""
    if not isinstance(found, torch.Tensor) or found.shape != expected.shape:
        return False
    return torch.allclose(found.double(), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def parts(inputs: dict, answer: Learning) -> list[Part]:
    """What must hold of the outputs [..., out], and of the gradients of x, a and b."""
    found, x, mask = answer.value, inputs["x"], inputs["mask"]
    shape = (*x.shape[:-1], len(mask))

    def typed() -> None:
        is_tensor(found)
        if found.dtype is not x.dtype:
            raise WrongForm(f"it is {found.dtype}")

    def as_merged() -> None:
        if not _alike(found, _outputs(inputs)):
            shown = {name: value for name, value in inputs.items() if name != "upstream"}
            raise Wrong(**shown, your_output=found)

    def learn() -> None:
        if missing := [name for name, slope in _sent(answer).items() if slope is None]:
            raise Wrong(f"none reaches {' and '.join(missing)}")

    def through_the_mask() -> None:
        slopes = _sent(answer)
        for name, expected in _slopes(inputs, mask).items():
            if not _alike(slopes[name], expected):
                show = {f"your gradient of {name}": slopes[name], "expected": expected.float()}
                raise Wrong(f"{name} gets another one", mask=mask, **show)

    return [
        Part("a tensor of the type of x", typed),
        Part(f"shape {shape}: one output for every row of weight", lambda: has_shape(found, shape)),
        Part("on the device of x", lambda: on_same_device(answer)),
        Part("the output of the layer that 6.2 merges, with its mask", as_merged),
        Part("gradients reach x, a and b", learn),
        Part("those of a and b come through kept places alone", through_the_mask),
    ]


def mistakes(inputs: dict) -> list[tuple[torch.Tensor, str]]:
    """The outputs [..., out] that each mistake gives, and its name. Some need square matrices."""
    weight, a, b = (inputs[name].double() for name in ("weight", "a", "b"))
    scaling, mask, rank = inputs["scaling"], inputs["mask"], len(inputs["a"])
    x, merged = inputs["x"].double(), weight + scaling * b @ a  # [..., in], [out, in]
    open_path = "LoRA's path is not masked. That is what 6.3 trains, and not what it merges"
    found = [
        (weight * mask + scaling * b @ a, open_path),
        (merged, open_path),
        (weight + scaling * b @ a * mask, "only the update was masked. The mask is for the sum"),
        (merged * ~mask, "the mask is inverted: in this course True means keep"),
        (merged * (weight != 0), "the zeros of weight were taken for the mask. A kept weight may be zero"),
        (weight * mask, "the LoRA matrices were not used"),
        (scaling * b @ a * mask, "the frozen weight is missing: LoRA adds to it"),
        ((weight + b @ a) * mask, "scaling is missing"),
        ((weight - scaling * b @ a) * mask, "the LoRA part was taken away. It is added"),
        (scaling * (weight + b @ a) * mask, "the frozen weight was scaled too; only the LoRA part is"),
        ((weight + scaling / rank * b @ a) * mask, "scaling was divided by the rank. It is alpha / r"),
        (merged * mask / mask.double().mean(), "the kept weights were made larger, as dropout does"),
    ]  # fmt: skip
    if weight.shape[0] == weight.shape[1]:
        turned = "a matrix is not transposed: weight is [out, in], and x has its inputs last"
        found += [((merged * mask).T, turned), ((weight * mask).T + scaling * b @ a * mask, turned)]
    if a.shape == b.shape:
        exchanged = "a and b changed places: their product must be [out, in]"
        found.append(((weight + scaling * a @ b) * mask, exchanged))
    if a.shape == mask.shape:
        laid = "the mask was laid over a or b. It is for their product"
        found += [(weight + scaling * b @ (a * mask), laid), (weight + scaling * (b * mask) @ a, laid)]
    return [(torch.einsum("...i,oi->...o", x, matrix), said) for matrix, said in found]


def cause(inputs: dict, answer: Learning) -> Iterator[Named]:
    """The mistake that wrong outputs, or wrong gradients, show."""
    if not _alike(answer.value, _outputs(inputs)):
        for wrong, said in mistakes(inputs):
            if _alike(answer.value, wrong):
                yield looks(f"{said}, {THROUGH}")
        return
    if answer.slopes and answer.slopes.error:
        yield looks(f"all was cut off by detach(), .data or no_grad(): nothing can learn, {THROUGH}")
    slopes, open_slopes = _sent(answer), _slopes(inputs, torch.ones_like(inputs["mask"]))
    if lost := [name for name in LEARN if slopes[name] is None]:
        yield looks(
            f"the way back to {' and '.join(lost)} was cut off by detach(), .data or no_grad(), {THROUGH}"
        )
    if _alike(slopes["a"], open_slopes["a"]) and _alike(slopes["b"], open_slopes["b"]):
        yield looks(
            "the mask was applied without autograd's knowledge, by .data or under no_grad. The outputs are "
            f"right, and the gradients of dropped places still reach a and b, {THROUGH}"
        )


EXERCISE = Exercise("masked_lora_forward", "6.4", cases, parts, cause, answer=Learning)
