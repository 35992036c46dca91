"""10.1 block_influence: how far each block turns the residual stream."""

import math
from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Named
from labsupport.check.judge.kit.compare import Wrong, WrongForm, has_shape, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.turns import TURN, Stream, alike, cosines, influences, mistakes

# Directions of length 5: the cosine of any two is a number of twenty-fifths
DIRECTIONS = [(3, 4), (4, 3), (-3, 4), (4, -3), (0, 5), (5, 0), (-4, 3), (-4, -3), (-5, 0), (0, -5)]


def cases(seed: int) -> list[Case]:
    """Streams of small whole numbers, of known turns, with a loud token, in half precision."""
    source = draw.rng(seed, "block_influence")
    start, angle = draw.normal(source, 2, 5, 8), source.choice((15, 30, 45, 60, 75))
    loud = [draw.normal(source, 3, 4, 6) for _ in range(3)]  # [B, L, hidden] each
    for hidden in loud:
        hidden[:, source.randrange(4)] *= 100
    stretch = draw.normal(source, 2, 5, 1).abs() + 0.5
    half = [(draw.distinct(source, 2, 3, 8) * 40).half() for _ in range(3)]
    coarse = draw.until(lambda: [draw.normal(source, 2, 40, 8).bfloat16() for _ in range(2)], rounds)
    return [
        Case(
            "three blocks, two windows of two tokens", {"hidden": draw.until(lambda: small(source), suits)}
        ),
        Case("a block that changes nothing has influence 0, one that negates has 2",
             {"hidden": [start, start.clone(), -start]}),
        Case("a block that makes vectors longer and turns none has influence 0",
             {"hidden": [start, start * stretch]}),
        Case(f"a block that turns each vector by {angle} degrees", {"hidden": [start, turned(start, angle)]}),
        Case("one token a hundred times as loud as the others", {"hidden": loud}),
        Case("float16 numbers whose squares overflow", {"hidden": half}),
        Case("bfloat16 numbers", {"hidden": coarse}),
    ]  # fmt: skip


def rounds(hidden: Stream) -> bool:
    """Whether cosines in the type of the tensors show, even where their mean is taken in float32."""
    cosine = torch.nn.functional.cosine_similarity(hidden[0], hidden[1], dim=-1)  # [B, L]
    return abs(1 - float(cosine.double().mean()) - influences(hidden)[0]) > 3e-4


def small(source) -> Stream:
    """Four tensors [2, 2, 2] of whole numbers, each vector one of DIRECTIONS, one to three times as long."""

    def vector() -> list[float]:
        factor = source.choice((1.0, 2.0, 3.0))
        return [factor * number for number in source.choice(DIRECTIONS)]

    return [torch.tensor([[vector() for _ in range(2)] for _ in range(2)]) for _ in range(4)]


def turned(hidden: torch.Tensor, degrees: float) -> torch.Tensor:
    """Each pair of neighbouring entries of vectors [B, L, hidden], turned in its plane."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    one, other = hidden[..., 0::2], hidden[..., 1::2]
    return torch.stack([cosine * one - sine * other, sine * one + cosine * other], dim=-1).flatten(-2)


def suits(hidden: Stream) -> bool:
    """Whether every mistake shows in numbers of its own."""
    right = torch.tensor(influences(hidden), dtype=torch.float64)
    return draw.apart([(right, "right"), *mistakes(hidden)], alike)


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the influences, float32 [blocks]."""
    hidden, found = inputs["hidden"], answer.value
    blocks = len(hidden) - 1

    def typed() -> None:
        is_tensor(found)
        if found.dtype not in (torch.float32, torch.float64):
            raise WrongForm(f"it is {found.dtype}")

    def right() -> None:
        for block, expected in enumerate(influences(hidden)):
            if not abs(float(found[block]) - expected) < 1e-4:  # NaN is not
                before, after = hidden[block], hidden[block + 1]
                show = {f"hidden[{block}]": before, f"hidden[{block + 1}]": after} if blocks == 3 else {}
                cosine = torch.tensor(cosines(before, after)).view(before.shape[:-1])
                raise Wrong(
                    f"not so for block {block}", **show, **{"the cosine of each token": cosine},
                    your_influence=float(found[block]),
                )  # fmt: skip

    return [
        Part("a tensor of torch.float32", typed),
        Part(f"shape (blocks,) = ({blocks},), one less than tensors in `hidden`",
             lambda: has_shape(found, (blocks,))),
        Part("on the device of `hidden`", lambda: on_same_device(answer)),
        Part("each is 1 minus the mean cosine over all tokens", right),
    ]  # fmt: skip


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that wrong influences show."""
    hidden, found = inputs["hidden"], answer.value
    if hidden[0].dtype is not torch.float32:
        yield (
            "It looks as if this was computed in half precision: float16 ends at 65504, bfloat16 keeps three "
            "digits.\nTry before.float() and after.float() first."
        )
    if found.shape == (len(hidden),):
        yield (
            "It looks as if every tensor has a number. Between four tensors stand three blocks: block i goes "
            f"from hidden[i] to hidden[i + 1], {TURN}"
        )
    if found.shape == ():
        yield "It looks as if the blocks were averaged, too. Each block has an influence of its own."
    for wrong, said in mistakes(hidden):
        if alike(found, wrong):
            yield said


EXERCISE = Exercise("block_influence", "10.1", cases, parts, cause)
