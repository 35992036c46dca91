"""Judges dequantise, exercise 11.2: the weights that codes stand for."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw, grids
from labsupport.check.judge.kit.causes import Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, WrongForm, has_shape, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

BACK = see("11.2", "Back from the codes")


def cases(seed: int) -> list[Case]:
    """Codes [out, in] with scales and zeros [out, groups], no two alike."""
    source = draw.rng(seed, "dequantise")

    def asked(rows: int, width: int, bits: int, group: int, dtype=torch.float32) -> dict:
        generator, shape = draw.generator(source), (rows, grids.group_count(width, group))
        codes = torch.randint(2**bits, (rows, width), generator=generator).to(torch.uint8)
        codes[:, ::group], codes[:, 1::group] = 0, 2**bits - 1  # zero and scale show
        scale = draw.distinct(source, *shape).abs() / 4 + 1
        zero = -scale * 2**bits / 3 - draw.distinct(source, *shape).abs() / 2
        return {"codes": codes, "scale": scale.to(dtype), "zero": zero.to(dtype), "group": group}

    flat = asked(2, 8, 4, 4)
    flat["scale"][0, 1] = 0.0
    return [
        Case("2 bits, two groups of four in a row", asked(2, 8, 2, 4)),
        Case("the last group of a row is shorter", asked(3, 10, 3, 6)),  # no halves of a row
        Case("one group a row", asked(3, 6, 4, 6)),
        Case("a group of equal weights: its scale is 0", flat),
        Case("8 bits, scale and zero in half precision, as in a file", asked(3, 64, 8, 32, torch.float16)),
        Case("a larger matrix", asked(48, 96, 4, 32)),
    ]


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the weights [out, in]."""
    codes, group, found = inputs["codes"], inputs["group"], answer.value
    shape = tuple(codes.shape)

    def typed() -> None:
        is_tensor(found)
        if found.dtype is not torch.float32:
            raise WrongForm(f"it is {found.dtype}")

    def right() -> None:
        expected = grids.values(codes, inputs["scale"], inputs["zero"], group)
        if not grids.close(found, expected):
            raise Wrong(**inputs, your_answer=found)

    return [
        Part("the answer is a torch.float32 tensor", typed),
        Part(f"shape (out_features, in_features) = {shape}", lambda: has_shape(found, shape)),
        Part("on the device of the codes", lambda: on_same_device(answer)),
        Part("each weight is zero + scale * code, with the scale and zero of its group", right),
    ]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that weights show."""
    codes, scale, zero, group = inputs.values()
    found, width = answer.value, codes.shape[1]
    if not isinstance(found, torch.Tensor) or found.shape != codes.shape or not found.is_floating_point():
        return
    if grids.close(found, grids.values(codes, scale, zero, group)):
        return
    counts = codes.double()  # [out, in]
    factor, start = (grids.spread(each, group, width) for each in (scale, zero))  # [out, in] each

    def are(weights: torch.Tensor) -> bool:
        return grids.close(found, weights)

    if are(factor * counts):
        yield looks(f"zero was not added: the grid begins there and not at 0, {BACK}")
    if are(factor * (counts - start)):
        yield looks(f"zero was taken for a code, and subtracted from it. It is a weight: add it last, {BACK}")
    if are(factor * counts - start):
        yield looks(f"zero was subtracted. It is the smallest weight, and the grid goes up from it, {BACK}")
    if are(factor * (counts + start)):
        yield looks(f"scale multiplied zero, too. Only the code counts steps, {BACK}")
    if are(start * counts + factor):
        yield looks("scale and zero changed places.")
    if are(scale.double().repeat(1, group)[:, :width] * counts + zero.double().repeat(1, group)[:, :width]):
        yield looks(
            "the scales were repeated one after the other, 0, 1, 0, 1. Neighbours share one: 0, 0, 1, 1. "
            f"repeat_interleave does that, {BACK}"
        )
    even = -(-width // scale.shape[1])  # the width of as many groups of one size
    if even != group and are(grids.values(codes, scale, zero, even)):
        yield looks(
            f"the row was cut into equal parts. A group has {group} weights, the last one fewer, {BACK}"
        )
    if are(scale.double()[:, :1] * counts + zero.double()[:, :1]):
        yield looks(f"the first group's grid served the whole row, {BACK}")
    if scale.dtype is torch.float16 and torch.allclose(
        found.double(), grids.values(codes, scale, zero, group), rtol=1e-2, atol=1e-2 * float(factor.amax())
    ):
        yield looks("half precision computed the weights. Make scale and zero float32 first.")


EXERCISE = Exercise("dequantise", "11.2", cases, parts, cause)
