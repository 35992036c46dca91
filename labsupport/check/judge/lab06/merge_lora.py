"""merge_lora: what two thin matrices learned becomes part of the weight, and a mask stays in force."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw, lora
from labsupport.check.judge.kit.causes import Cause, Named
from labsupport.check.judge.kit.compare import Wrong, has_shape, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.lines import some_of
from labsupport.check.judge.kit.lora import FILLS


def cases(seed: int) -> list[Case]:
    """Weights without a mask, with half of them dropped, with a kept zero; and b = 0."""
    source = draw.rng(seed, "merge_lora")
    plain = draw.until(lambda: _drawn(source, 2, 2, 2), _suits)
    narrow = _drawn(source, 2, 5, 1)
    narrow["weight"][source.randrange(2), source.randrange(5)] = 0.0
    fine = {name: value / 3 for name, value in _drawn(source, 4, 5, 2).items()}
    fresh = _drawn(source, 3, 4, 2)
    masked = [_masked(source, _drawn(source, 3, 4, 2)), _masked(source, _drawn(source, 8, 6, 3))]
    zero_inside = _masked(source, _drawn(source, 4, 4, 1))
    kept = zero_inside["mask"].nonzero()  # [kept, 2]: row and column
    row, column = kept[source.randrange(len(kept))].tolist()
    zero_inside["weight"][row, column] = 0.0
    dense = _drawn(source, 3, 4, 2)
    whole = torch.ones(3, 4, dtype=torch.bool)  # [out, in]
    return [
        Case("two outputs, two inputs, no mask", plain),
        Case("no mask, rank 1, and a weight that happens to be zero", narrow),
        Case("no mask, weights of many digits", fine),
        Case("a mask with half of the weights gone", masked[0]),
        Case("a mask on a larger weight", masked[1]),
        Case("a kept weight that happens to be zero learns as well", zero_inside),
        Case("a mask that keeps everything", {**fresh, "mask": whole}),
        Case("a mask that drops everything", {**fresh, "mask": ~whole}),
        Case("a mask over weights that are not zero yet", {**dense, "mask": masked[0]["mask"]}),
        Case("b = 0, as before the first step", {**fresh, "b": torch.zeros(3, 2)}),  # [out, r]
    ]


def _drawn(source, out: int, wide: int, rank: int) -> dict:
    """weight [out, in], a [r, in], b [out, r] and a scaling."""
    inputs = lora.drawn(source, (1,), wide, out, rank)
    return {name: inputs[name] for name in ("weight", "a", "b", "scaling")}


def _suits(inputs: dict) -> bool:
    """Whether no two ways of going wrong agree on these inputs, and none is right."""
    return draw.apart([(_merged(**inputs), "right"), *mistakes(inputs)], torch.equal)


def _masked(source, inputs: dict) -> dict:
    """The inputs with half of the weights pruned, and their mask [out, in]."""
    mask = torch.zeros(inputs["weight"].numel(), dtype=torch.bool)  # [out * in]
    mask[source.sample(range(len(mask)), len(mask) // 2)] = True
    mask = mask.view_as(inputs["weight"])  # [out, in]
    return {**inputs, "weight": inputs["weight"].masked_fill(~mask, 0), "mask": mask}


def _merged(weight, a, b, scaling, mask=None) -> torch.Tensor:
    """Float64 [out, in]: the merged weight before any mask, read off the outputs of unit vectors."""
    return lora.outputs(torch.eye(weight.shape[1]), weight, a, b, scaling).T


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the merged weight [out, in]."""
    found, weight, mask = answer.value, inputs["weight"], inputs.get("mask")
    keep = torch.ones_like(weight, dtype=torch.bool) if mask is None else mask  # [out, in]

    def typed() -> None:
        is_tensor(found)
        if found.dtype is not weight.dtype:
            raise Wrong(f"it is {found.dtype}")

    def zeros() -> None:
        if filled := int((found[~keep] != 0).sum()):
            raise Wrong(
                f"{some_of(filled, int((~keep).sum()))} not",
                mask=mask,
                weight=weight,
                your_merged_weight=found,
            )

    def learned() -> None:
        if not torch.allclose(found[keep].double(), _merged(**inputs)[keep], rtol=1e-5):
            show = inputs if mask is None else {"mask": mask, "weight": weight}
            raise Wrong(**show, your_merged_weight=found)

    whole = "the frozen layer with this weight does what the layer with LoRA did"
    shape = tuple(weight.shape)
    return [
        Part("a tensor of the type of weight", typed),
        Part(f"shape (out_features, in_features) = {shape}", lambda: has_shape(found, shape)),
        Part("on the device of weight", lambda: on_same_device(answer)),
        *([Part("weights that the mask drops are zero", zeros)] if mask is not None else []),
        Part(whole if mask is None else "weights that the mask keeps have learned", learned),
    ]


def mistakes(inputs: dict) -> list[tuple[torch.Tensor, Named]]:
    """The merged weight [out, in], before any mask, that each mistake gives, and its name."""
    weight, a, b = (inputs[name].double() for name in ("weight", "a", "b"))
    scaling, rank = inputs["scaling"], len(a)
    added = _merged(weight * 0, a, b, 1.0)  # [out, in]
    missing = f"It looks as if scaling is missing: {scaling:g} times the LoRA part is added."
    found = [
        (weight, "It looks as if nothing was merged: this is the weight that you were given."),
        (scaling * added, "It looks as if the weight itself is missing: LoRA adds to it."),
        (weight + added, Cause(missing, "scaling is missing")),
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


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a merged weight of the right shape shows."""
    weight, mask = inputs["weight"], inputs.get("mask")
    if answer.value.shape != weight.shape:
        return
    found = answer.value.double()  # [out, in]
    if mask is not None:
        if torch.allclose(found, _merged(**inputs), rtol=1e-5):
            yield (
                f"It looks as if B A is not masked. It is dense, so that merging fills the zeros, {FILLS}\n"
                "Try (merged == 0).float().mean() before and after."
            )
        update_masked = torch.where(mask, _merged(**inputs), weight.double())  # [out, in]
        if torch.allclose(found, update_masked, rtol=1e-5):
            yield (
                "It looks as if only the update was masked. The mask also sets the weights themselves to 0, "
                f"whether they are zero already or not: mask the sum, {FILLS}"
            )
        if bool(mask.any()) and bool((found[mask] == 0).all()) and bool((found[~mask] != 0).any()):
            yield "It looks as if the mask is inverted: in this course True means keep."
        if bool((found == 0)[weight == 0].all()) and bool((weight == 0)[mask].any()):
            yield (
                "It looks as if the zeros of weight were taken for the mask. A kept weight may be zero by "
                f"chance; the mask knows which, {FILLS}"
            )
    if mask is None and bool((found == 0)[weight == 0].all()) and bool((weight == 0).any()):
        yield f"It looks as if zeros of weight were kept, though there is no mask: they learn, too, {FILLS}"
    if answer.value.dtype is weight.dtype and torch.allclose(found, _merged(**inputs), rtol=1e-2):
        yield "It looks as if the sum was rounded to half precision on the way."
    for wrong, said in mistakes(inputs):
        if torch.allclose(found, wrong if mask is None else wrong * mask, rtol=1e-5):
            yield said


EXERCISE = Exercise("merge_lora", "6.2", cases, parts, cause)
