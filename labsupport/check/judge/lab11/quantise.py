"""Judges quantise, exercise 11.1: a grid for each group of a row, and the nearest value's code."""

from collections.abc import Iterator
from typing import NamedTuple

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw, grids
from labsupport.check.judge.kit.causes import Cause, Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, WrongForm, has_shape, is_tensor, kind
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

GRID = see("11.1", "A grid for each group")
NAMES = ("codes", "scale", "zero")


class Quantised(NamedTuple):
    """codes: [out, in]; scale, zero: [out, groups]."""

    codes: torch.Tensor
    scale: torch.Tensor
    zero: torch.Tensor


def cases(seed: int) -> list[Case]:
    """Weights [out, in] whose groups have ranges of their own."""
    source = draw.rng(seed, "quantise")
    steps = source.sample((3, 4, 5, 7), 4)
    lows = [source.randrange(1, 5), *(source.randrange(-3 * step + 1, -step) for step in steps[1:])]
    groups = [grids.draw_group(source, *pair) for pair in zip(lows, steps, strict=True)]
    plain = torch.tensor([groups[0] + groups[1], groups[2] + groups[3]])  # [2, 8]
    rows = torch.tensor([[1.0], [30.0]])
    short = draw.normal(source, 2, 15) * rows + rows  # [2, 15], no thirds in groups of 6
    constant = draw.normal(source, 2, 12)  # [2, 12]
    constant[0, 4:8], constant[1, :4] = source.choice((0.3, -0.7)), 0.0
    step = 2.0 ** -source.randrange(3, 6)
    codes = torch.stack([torch.randperm(16, generator=draw.generator(source)) for _ in range(6)])
    on_grid = codes.view(3, 32) * step - 5 * step  # [3, 32]
    large = draw.normal(source, 48, 96)  # [48, 96]
    half = (draw.normal(source, 4, 64) * 3).half()  # [4, 64]
    return [
        Case("2 bits, two groups of four in a row", {"weight": plain, "bits": 2, "group": 4}),
        Case("the last group of a row is shorter", {"weight": short, "bits": 3, "group": 6}),
        Case("a group of equal weights, and one of zeros", {"weight": constant, "bits": 4, "group": 4}),
        Case("weights that lie on a grid of 4 bits", {"weight": on_grid, "bits": 4, "group": 16}),
        Case("one group a row", {"weight": short, "bits": 4, "group": 15}),
        Case("8 bits, weights in half precision", {"weight": half, "bits": 8, "group": 32}),
        Case("a larger matrix, 3 bits", {"weight": large, "bits": 3, "group": 32}),
        Case("9 bits raise ValueError", {"weight": plain, "bits": 9, "group": 4}, raises="ValueError"),
        Case("0 bits raise ValueError", {"weight": plain, "bits": 0, "group": 4}, raises="ValueError"),
    ]


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the codes [out, in], and of scale and zero [out, groups]."""
    weight, bits, group = inputs["weight"], inputs["bits"], inputs["group"]
    rows, width = weight.shape
    found, shape = answer.value, (rows, grids.group_count(width, group))
    low, high = grids.ends(weight, group)  # [out, groups]
    step = (high - low) / (2**bits - 1)  # [out, groups]
    own = torch.where(high > low, step, torch.nan)  # a group of equal weights may have any step

    def typed() -> None:
        if not isinstance(found, tuple | list):
            raise Wrong(kind(found, "your function returned"))
        if len(found) != 3:
            raise Wrong(f"yours has {len(found)}")
        for name, tensor in zip(NAMES, found, strict=True):
            is_tensor(tensor, name)

    def dtypes() -> None:
        if found[0].dtype is not torch.uint8:
            raise WrongForm(f"codes are {found[0].dtype}")
        for name, tensor in zip(NAMES[1:], found[1:], strict=True):
            if tensor.dtype is not torch.float32:
                raise WrongForm(f"{name} is {tensor.dtype}")

    def shaped() -> None:
        has_shape(found[0], (rows, width))
        for name, tensor in zip(NAMES[1:], found[1:], strict=True):
            if tuple(tensor.shape) != shape:
                raise Wrong(f"{name} is {tuple(tensor.shape)}")

    def shown() -> dict:
        return {"weight": weight, **{f"your_{name}": each for name, each in zip(NAMES, found, strict=True)}}

    def counted() -> None:
        if int(found[0].max()) > 2**bits - 1:
            raise Wrong(f"yours go up to {int(found[0].max())}", **shown())

    def begins() -> None:
        if not grids.close(found[2], low):
            raise Wrong(**shown(), smallest_weights=low.float())

    def steps() -> None:
        right = torch.where(own.isnan(), found[1].double(), own)
        if not bool(found[1].isfinite().all()) or not grids.close(found[1], right):
            raise Wrong(**shown(), **{"largest - smallest": (high - low).float()})

    def nearest() -> None:
        codes, scale, zero = found
        error = (grids.values(codes, scale, zero, group) - weight.double()).abs()  # [out, in]
        bound = grids.spread(step, group, width) / 2 * 1.001 + 1e-6 * weight.double().abs()
        if not bool((error <= bound).all()):
            raise Wrong(f"off by up to {float(error.amax()):.4g}", **shown(), half_a_step=(step / 2).float())

    return [
        Part("returns a tuple of 3 tensors: codes, scale, zero", typed),
        Part("codes are torch.uint8, scale and zero torch.float32", dtypes),
        Part(f"shapes: codes {(rows, width)}, scale and zero {shape}, one for each group", shaped),
        Part(f"codes go from 0 to {2**bits - 1}", counted),
        Part("zero is the smallest weight of the group", begins),
        Part(f"scale is (largest - smallest) / {2**bits - 1}", steps),
        Part("zero + scale * code is at most half a step from the weight", nearest),
    ]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that codes, scales and zeros show."""
    weight, bits, group = inputs["weight"], inputs["bits"], inputs["group"]
    codes, scale, zero = Quantised(*answer.value)
    rows, width = weight.shape
    low, high = grids.ends(weight, group)  # [out, groups]
    if scale.is_floating_point() and scale.numel() == 1 < rows:
        yield looks(f"one grid serves the whole matrix. Each group has its own, {GRID}")
    if scale.numel() == rows and low.shape[1] > 1:
        yield looks(f"one grid serves a whole row. Each {group} neighbours have their own, {GRID}")
    if tuple(scale.shape) == (grids.group_count(rows, group), width):
        yield looks(f"the groups run down the columns. Inputs of one row are neighbours, {GRID}")
    if scale.dim() and scale.shape[-1] == width // group < low.shape[1]:
        yield looks(f"the last, shorter group was left out. It has a scale and a zero, too, {GRID}")
    if scale.numel() == -(-weight.numel() // group) != low.numel():
        yield looks(f"the rows were joined before they were cut. A group never crosses rows, {GRID}")
    if codes.numel() == weight.numel() and codes.dim() and codes.shape[-1] == group != width:
        yield looks(f"the codes still have the shape of the groups. They go back into the weight's, {GRID}")
    if scale.shape != low.shape or zero.shape != low.shape or codes.shape != weight.shape:
        return
    if codes.dtype is not torch.uint8 or not scale.is_floating_point() or not zero.is_floating_point():
        return
    step = (high - low) / (2**bits - 1)  # [out, groups]
    if grids.close(scale, low) and grids.close(zero, step):
        yield looks("scale and zero changed places: the order is codes, scale, zero.")
    if grids.close(scale, torch.full_like(low, float(weight.max() - weight.min())) / (2**bits - 1)):
        yield looks(f"one grid serves the whole matrix. Each group has its own, {GRID}")
    if grids.close(zero, low.amin(dim=0).expand_as(low)) and rows > 1 and not grids.close(zero, low):
        yield looks(f"all rows share the grid of a group. Each row has its own, {GRID}")
    tail = torch.cat([low[:, :-1], low[:, -1:].clamp_max(0)], dim=1)  # [out, groups]
    if width % group and grids.close(zero, tail) and not grids.close(zero, low):
        yield looks(f"the last, shorter group was filled up with zeros, and its grid reaches to them, {GRID}")
    around = grids.close(zero, -torch.maximum(low.abs(), high.abs())) and not grids.close(zero, low)
    if around or not bool(zero.any()):
        yield looks(
            "the grid lies around 0, alike on both sides. This one begins at the smallest weight and ends at "
            f"the largest, {GRID}"
        )
    if grids.close(zero, low.clamp_max(0)) and bool((low > 0).any()):
        yield looks(f"the grid was stretched down to 0. It begins at the smallest weight, {GRID}")
    if grids.close(scale, step) and grids.close(zero, (-low / step).round()):
        yield looks(
            "zero is the code that stands for 0. Here it is the other way round: the weight that code 0 "
            f"stands for, {GRID}"
        )
    if grids.close(scale, (high - low) / 2**bits):
        text = f"{2**bits} steps were made. {2**bits} values have {2**bits - 1} steps between them, {GRID}"
        yield looks(Cause(text, "2**bits steps"))
    if weight.dtype is torch.float16 and not grids.close(scale, step) and grids.close(scale, step, 2e-3):
        yield looks("half precision computed the grid: it has 11 bits. Begin with weight.float().")
    if not (grids.close(scale, step) and grids.close(zero, low)):
        return
    place = (weight.double() - grids.spread(low, group, width)) / grids.spread(step, group, width)
    for rounded in (place.floor(), place.ceil()):
        if torch.equal(codes.double(), rounded):
            yield looks("the codes were cut to whole numbers in one direction. Round to the nearest one.")


EXERCISE = Exercise("quantise", "11.1", cases, parts, cause)
