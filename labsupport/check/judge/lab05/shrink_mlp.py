"""5.4 shrink_mlp: the three matrices of an MLP with some of its channels alone."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw, slice_causes, slices
from labsupport.check.judge.kit.causes import Named, see
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.slices import MLP_NAMES

TOGETHER = see("5.4", "Rows out, columns in")


def cases(seed: int) -> list[Case]:
    """MLPs of several shapes, from one channel kept to all of them."""
    source = draw.rng(seed, "shrink_mlp")

    def case(
        title: str, hidden: int, channels: int, kept: int, numbers=draw.normal, dtype=torch.float32
    ) -> Case:
        """gate, up: [channels, hidden]; down: [hidden, channels]; keep: [kept]."""
        shapes = {"gate": (channels, hidden), "up": (channels, hidden), "down": (hidden, channels)}
        weights = {name: numbers(source, *shape).to(dtype) for name, shape in shapes.items()}
        return Case(title, {**weights, "keep": slices.keep(source, channels, kept)})

    return [
        case("a small MLP, half of its channels kept", 5, 4, 2, draw.distinct),
        case("more channels than inputs", 6, 20, 13),
        case("one channel kept", 6, 5, 1),
        case("all channels kept", 4, 6, 6),
        case("half precision", 4, 8, 5, dtype=torch.float16),
    ]


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of gate, up [kept, hidden] and down [hidden, kept]."""
    return slices.parts(MLP_NAMES, inputs, answer)


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistakes that the slices show."""
    return slice_causes.causes(MLP_NAMES, inputs, answer, TOGETHER)


EXERCISE = Exercise("shrink_mlp", "5.4", cases, parts, cause)
