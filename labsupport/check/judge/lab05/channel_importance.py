"""5.2 channel_importance: the score of each channel of an MLP, by four criteria."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw, importance, importance_causes
from labsupport.check.judge.kit.causes import Named, see
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.owners import Coupled, channel_owners
from labsupport.check.judge.kit.slices import MLP_NAMES

COUPLED = see("5.2", "What depends on what")


def cases(seed: int) -> list[Case]:
    """A square MLP first, drawn so that no two mistakes look alike; then the other criteria."""
    source = draw.rng(seed, "channel_importance")

    def drawn(numbers, hidden: int, channels: int) -> dict[str, torch.Tensor]:
        """gate, up [channels, hidden] and down [hidden, channels]."""
        shapes = ((channels, hidden), (channels, hidden), (hidden, channels))
        return {name: numbers(source, *shape) for name, shape in zip(MLP_NAMES, shapes, strict=True)}

    def half(factor: float) -> dict[str, torch.Tensor]:
        return {name: (w * factor).half() for name, w in drawn(draw.distinct, 2, 4).items()}

    wide, large = drawn(draw.distinct, 4, 3), drawn(draw.normal, 24, 40)
    loud = half(60)  # squares above the largest number of half precision
    faint, flat = half(2**-14), half(2**-14)  # products below the smallest
    slopes = drawn(draw.distinct, 4, 3)
    small = draw.until(
        lambda: importance.case("l1 in a small square MLP", drawn(draw.distinct, 3, 3), "l1"),
        lambda case: importance_causes.apart(coupled(case.inputs), mistakes(case.inputs)),
    )
    return [
        small,
        importance.case("l1, more inputs than channels", wide, "l1"),
        importance.case("l2, more inputs than channels", wide, "l2"),
        importance.case("taylor, with gradients", wide, "taylor", slopes),
        importance.case("l2 of half precision, its squares above 65504", loud, "l2"),
        importance.case("taylor of half precision, its products tiny", faint, "taylor", flat),
        importance.case("a larger MLP", large, source.choice(("l1", "l2"))),
        importance.random_case(large, source.randrange(10**6)),
    ]


def coupled(inputs: dict) -> Coupled:
    """gate, up [channels, hidden] and down [hidden, channels] of a case, with their owners."""
    channels, hidden = inputs["gate"].shape
    return importance.coupled(MLP_NAMES, channel_owners(hidden, channels), channels, inputs)


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the scores [channels]."""
    where = "row of gate, row of up, column of down"
    return importance.parts(MLP_NAMES, "channels", where, coupled(inputs), answer)


def mistakes(inputs: dict) -> importance_causes.Mistakes:
    """Scores [channels] that other owners or fewer matrices give, each with the sentence on the mistake."""
    of, (channels, hidden) = coupled(inputs), inputs["gate"].shape
    missing = {
        (0,): "gate alone was scored", (0, 1): "down was forgotten", (0, 2): "up was forgotten",
        (1, 2): "gate was forgotten", (1,): "up alone was scored", (2,): "down alone was scored",
    }  # fmt: skip
    found: importance_causes.Mistakes = [
        (
            of.only(chosen),
            f"It looks as if {what}. When a channel goes, a row of gate, a row of up and a column of down "
            f"go with it, so all three count, {COUPLED}",
        )
        for chosen, what in missing.items()
    ]
    if channels != hidden:
        return found
    row, column = torch.arange(channels)[:, None], torch.arange(channels)[None, :]  # [channels, 1], its turn
    turned = (
        (
            (row, row, row),
            "the rows of down were summed. A channel is one of its inputs, so it owns a column of down, "
            f"{COUPLED}\nTry a gate of 3 x 2: down is 2 x 3 then.",
        ),
        ((column, column, row), f"rows and columns were exchanged in all three, {COUPLED}"),
        (
            (column, column, column),
            f"columns of gate and up were summed: a channel is one of their rows, {COUPLED}",
        ),
    )
    return found + [(of.by(list(owners)), f"It looks as if {what}") for owners, what in turned]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistakes that the scores [channels] show."""
    if inputs["criterion"] != "random":
        yield from importance_causes.causes(coupled(inputs), mistakes(inputs), answer.value)


EXERCISE = Exercise("channel_importance", "5.2", cases, parts, cause)
