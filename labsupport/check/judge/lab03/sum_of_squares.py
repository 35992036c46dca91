"""Judges sum_of_squares, exercise 3.1: the sum of squares of every input channel."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.compare import Wrong, WrongForm, has_shape, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

SIZE = see("3.1", "The size of a channel")
LAST_AXIS = (
    "x is one token here, so its first axis is already that of the channels. "
    "They are always the last axis: count axes from the end."
)


def cases(seed: int) -> list[Case]:
    """Inputs x of one to three axes, in every floating type that a model may have."""
    source = draw.rng(seed, "sum_of_squares")
    plain = draw.distinct(source, 3, 4)  # [T, in]
    plain[:, source.randrange(4)] *= 10  # one loud channel
    large = torch.tensor([[source.randrange(300, 900) for _ in range(3)] for _ in range(4)]).half()  # [T, in]
    odd = torch.tensor([[source.randrange(101, 255, 2) for _ in range(3)] for _ in range(5)]).bfloat16()
    return [
        Case("three tokens of four channels", {"x": plain}),
        Case("a batch [B, L, in_features]", {"x": draw.distinct(source, 2, 3, 4)}),
        Case("a single token [in_features]", {"x": draw.distinct(source, 5)}),
        Case("float16 numbers above 256, whose squares overflow", {"x": large}),
        Case("bfloat16 numbers, whose squares are rounded", {"x": odd}),
        Case("float64 numbers", {"x": draw.normal(source, 6, 5).double()}),
    ]


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the sums, float32 [in]."""
    x, sums = inputs["x"], answer.value

    def typed() -> None:
        if sums.dtype is not torch.float32:
            raise WrongForm(f"x is {x.dtype}, your sums are {sums.dtype}", x=x, your_sums=sums)

    def summed() -> None:
        tokens = as_tokens(x)  # [T, in]
        right = torch.isclose(sums.double(), energies(tokens), rtol=1e-5, atol=0)  # [in]
        if not right.all():
            channel = int((~right).nonzero()[0])
            numbers = ", ".join(f"{value:.6g}" for value in tokens[:, channel].tolist())
            holds = f"holds {numbers}; yours {float(sums[channel]):.6g}"
            raise Wrong(x=x, your_sums=sums, **{f"channel {channel}": holds})

    return [
        Part("returns a tensor", lambda: is_tensor(sums)),
        Part(f"shape (in_features,) = ({x.shape[-1]},)", lambda: has_shape(sums, x.shape[-1:])),
        Part("the sums are torch.float32, whatever x is", typed),
        Part("on the device of x", lambda: on_same_device(answer)),
        Part("every sum is that of one channel's squares", summed),
    ]


def as_tokens(x: torch.Tensor) -> torch.Tensor:
    """x [..., in] as float64 [T, in]."""
    return x.double().reshape(-1, x.shape[-1])


def energies(tokens: torch.Tensor) -> torch.Tensor:
    """The diagonal of X^T X: [T, in] -> [in]."""
    return (tokens.T @ tokens).diagonal()


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that wrong sums show."""
    x, sums = inputs["x"], answer.value
    if isinstance(sums, torch.Tensor):
        yield from wrong_sums(x, sums) if sums.shape == x.shape[-1:] else wrong_axes(x, sums)


def wrong_axes(x: torch.Tensor, sums: torch.Tensor) -> Iterator[Named]:
    """Mistakes that leave another shape than [in]; x [..., in], sums of any shape."""
    channels = x.shape[-1]
    if sums.shape == x.shape[:-1] == ():
        yield LAST_AXIS
    elif sums.dim() == 0:
        yield f"One number for all channels: the last axis has to stay, {SIZE}"
    elif sums.shape == x.shape[:-1]:
        yield (
            f"It looks as if the sum ran over the channels: you have one number for each token, {SIZE}\n"
            "Try x.shape: the last axis is the one that stays."
        )
    elif sums.shape == x.shape:
        yield f"The squares were not added up: all axes but the last have to go, {SIZE}"
    elif sums.numel() == channels:
        yield "Axes of size 1 remain (keepdim?): the answer has one axis, the channels."
    elif sums.shape[-1] == channels:
        yield (
            "It looks as if only one axis was summed. A batch has two before the channels, windows and "
            f"tokens, {SIZE}\nTry x.shape beside the shape of your answer."
        )


def wrong_sums(x: torch.Tensor, sums: torch.Tensor) -> Iterator[Named]:
    """Mistakes that leave wrong numbers or another type; x [..., in], sums [in]."""
    tokens = as_tokens(x)  # [T, in]
    right, count = energies(tokens), len(tokens)  # [in]
    if not bool(sums.isfinite().all()):
        yield (
            "It looks as if half-precision numbers were squared: float16 ends at 65504, and 256 squared is "
            f"65536, {SIZE}\nTry x.dtype and x * x."
        )
    if sums.dtype is x.dtype is not torch.float32:
        yield f"The sums took the type of x; they need float32, {SIZE}\nTry sum_of_squares(x.half()).dtype."
    sums = sums.double()  # [in]
    if torch.allclose(sums, right, rtol=1e-5):
        return
    guesses = {  # each [in], zero where the sums show the mistake
        "the mean was taken instead of the sum": sums * count - right,
        "the root was taken already: it comes once, after the last batch": sums**2 - right,
        "root mean squares were taken": sums**2 * count - right,
        "the means of absolute values were taken": sums - tokens.abs().mean(dim=0),
        "absolute values were added, not squares": sums - tokens.abs().sum(dim=0),
        "the numbers were added without a square": sums - tokens.sum(dim=0),
        "the numbers were added first and squared afterwards": sums - tokens.sum(dim=0) ** 2,
    }
    for mistake, difference in guesses.items():
        if bool((difference.abs() <= 1e-4 * right).all()):
            yield f"It looks as if {mistake}, {SIZE}\nTry a channel that holds 3 and 4: its sum is 9 + 16."
    if torch.allclose(sums, right, rtol=2e-2) and x.dtype in (torch.bfloat16, torch.float16):
        text = f"It looks as if the squares were rounded to {x.dtype} before they were added, {SIZE}"
        yield Cause(text, "squares rounded before they were added")
    elif torch.allclose(sums, right, rtol=2e-2):
        yield f"It looks as if half precision was used on the way, though x comes as {x.dtype}, {SIZE}"


EXERCISE = Exercise("sum_of_squares", "3.1", cases, parts, cause)
