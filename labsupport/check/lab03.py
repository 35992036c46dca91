"""The exercises of lab 03, the calibration of Wanda."""

import statistics
from collections.abc import Iterator

import torch

from labsupport.check import draws, norms, recipes
from labsupport.check.compare import has_shape, is_close, is_number, is_tensor, on_same_device
from labsupport.check.exercise import Case, Exercise, Part, Wrong
from labsupport.check.wire import Opaque

# 3.1 sum_of_squares

SIZE = 'see section 3.1, "The size of a channel".'


def squares_cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "sum_of_squares")
    plain = draws.distinct(source, 3, 4)
    plain[:, source.randrange(4)] *= 10  # one loud channel
    large = torch.tensor([[source.randrange(300, 900) for _ in range(3)] for _ in range(4)]).half()
    odd = torch.tensor([[source.randrange(101, 255, 2) for _ in range(3)] for _ in range(5)]).bfloat16()
    return [
        Case("three tokens of four channels", {"x": plain}),
        Case("a batch [B, L, in_features]", {"x": draws.distinct(source, 2, 3, 4)}),
        Case("a single token [in_features]", {"x": draws.distinct(source, 5)}),
        Case("float16 numbers above 256, whose squares overflow", {"x": large}),
        Case("bfloat16 numbers, whose squares are rounded", {"x": odd}),
        Case("float64 numbers", {"x": draws.normal(source, 6, 5).double()}),
    ]


def squares_parts(inputs: dict, answer: dict) -> list[Part]:
    x, sums = inputs["x"], answer["value"]
    tokens = as_tokens(x)

    def typed() -> None:
        if sums.dtype is not torch.float32:
            raise Wrong(f"x is {x.dtype}, your sums are {sums.dtype}", x=x, your_sums=sums)

    def summed() -> None:
        right = torch.isclose(sums.double(), energies(tokens), rtol=1e-5, atol=0)
        if not right.all():
            channel = int((~right).nonzero()[0])
            numbers = ", ".join(f"{value:.6g}" for value in tokens[:, channel].tolist())
            raise Wrong(
                x=x, your_sums=sums, **{f"channel_{channel}": f"holds {numbers}; yours {sums[channel]:.6g}"}
            )

    return [
        Part("returns a tensor", lambda: is_tensor(sums)),
        Part(f"shape (in_features,) = ({x.shape[-1]},)", lambda: has_shape(sums, x.shape[-1:])),
        Part("the sums are torch.float32, whatever x is", typed),
        Part("on the device of x", lambda: on_same_device(answer)),
        Part("every sum is that of one channel's squares", summed),
    ]


def as_tokens(x: torch.Tensor) -> torch.Tensor:
    """float64 [tokens, in_features]."""
    return x.double().reshape(-1, x.shape[-1])


def energies(tokens: torch.Tensor) -> torch.Tensor:
    """The diagonal of X^T X: [tokens, in_features] -> [in_features]."""
    return (tokens.T @ tokens).diagonal()


def squares_cause(inputs: dict, answer: dict) -> str:
    x, sums = inputs["x"], answer["value"]
    causes = wrong_sums if sums.shape == x.shape[-1:] else wrong_axes
    return next(causes(x, sums, as_tokens(x)), "")


def wrong_axes(x: torch.Tensor, sums: torch.Tensor, tokens: torch.Tensor) -> Iterator[str]:
    right = energies(tokens)
    if sums.shape == x.shape[:-1] == ():
        yield (
            "x is one token here, so its first axis is already that of the channels. "
            "They are always the last axis: count axes from the end."
        )
    elif sums.dim() == 0:
        yield f"One number for all channels: the last axis has to stay, {SIZE}"
    elif sums.shape == x.shape[:-1]:
        yield (
            f"It looks as if the sum ran over the channels: you have one number for each token, {SIZE}\n"
            "Try x.shape: the last axis is the one that stays."
        )
    elif sums.shape == x.shape:
        yield f"The squares were not added up: all axes but the last have to go, {SIZE}"
    elif sums.numel() == len(right):
        yield "Axes of size 1 remain (keepdim?): the answer has one axis, the channels."
    elif sums.shape[-1] == len(right):
        yield (
            "It looks as if only one axis was summed. A batch has two before the channels, windows and "
            f"tokens, {SIZE}\nTry x.shape beside the shape of your answer."
        )


def wrong_sums(x: torch.Tensor, sums: torch.Tensor, tokens: torch.Tensor) -> Iterator[str]:
    right, count = energies(tokens), len(tokens)
    if not bool(sums.isfinite().all()):
        yield (
            "It looks as if half-precision numbers were squared: float16 ends at 65504, and 256 squared is "
            f"65536, {SIZE}\nTry x.dtype and x * x."
        )
    if sums.dtype is not torch.float32:
        yield f"The sums took the type of x; they need float32, {SIZE}\nTry sum_of_squares(x.half()).dtype."
    sums = sums.double()
    if torch.allclose(sums, right, rtol=1e-5):
        return
    guesses = {
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
    if torch.allclose(sums, right, rtol=2e-2):
        yield f"It looks as if the squares were rounded to {x.dtype} before they were added, {SIZE}"


# 3.2 input_norms


def norms_cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "input_norms")
    course = recipes.course_model()["course"]

    def tiny(*shapes: tuple[int, int], **more) -> dict:
        batches = [{"random": source.randrange(10**6), "count": n, "length": length} for n, length in shapes]
        return {"model": {"tiny": source.randrange(10**6)}, "batches": batches, **more}

    return [
        Case("a tiny model", tiny((2, source.randrange(20, 30)), (1, source.randrange(40, 60)), (3, 16))),
        Case("when the model raises an error", tiny((1, 16), (1, 16), (1, 16), fails_at=2)),
        Case("a model in training mode", tiny((1, 16), (2, 8), training=True)),
        Case("a model in float16, batches of 2,048 tokens", tiny((16, 128), (16, 128), half=True)),
        Case("memory does not grow with the number of batches", tiny(*[(1, 64)] * 6, weighed=True)),
        Case(
            f"the course model, {course}",
            {"model": {"course": course}, "batches": [recipes.course_windows("calibration")]},
            costly=True,
        ),
    ]


# 3.3 outlier_channels

LOUD = 'see section 3.3, "Loud channels".'


def outlier_cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "outlier_channels")

    def sizes(count: int) -> torch.Tensor:
        norm = draws.distinct(source, count).abs() + 1
        norm[norm.argmax()] *= 10
        return norm

    tied = draws.tied(source, 9).abs() + 1
    tied[source.sample(range(9), 3)] = 12.0
    many = draws.normal(source, 576).exp()
    many[source.randrange(576)] = 300.0
    return [
        Case("seven channels, the two loudest", {"norm": sizes(7), "k": 2}),
        Case("an even number of channels", {"norm": sizes(8), "k": 3}),
        Case("three channels equally loud", {"norm": tied, "k": 3}),
        Case("the loudest alone", {"norm": sizes(5), "k": 1}),
        Case("all channels", {"norm": sizes(5), "k": 5}),
        Case("576 channels", {"norm": many, "k": 5}),
    ]


def outlier_parts(inputs: dict, answer: dict) -> list[Part]:
    norm, k, pair = inputs["norm"], inputs["k"], answer["value"]

    def paired() -> None:
        if pair is None:
            raise Wrong("it is None: is a return missing?")
        if not isinstance(pair, tuple):
            raise Wrong(f"it is a {pair.type_name if isinstance(pair, Opaque) else type(pair).__name__}")
        if len(pair) != 2:
            raise Wrong(f"it is a tuple of {len(pair)}")

    def typed() -> None:
        is_tensor(pair[0], "it")
        if pair[0].dtype is not torch.int64:
            raise Wrong(f"it is {pair[0].dtype}", norm=norm, your_channels=pair[0])

    def loudest() -> None:
        channels = pair[0].tolist()
        show = {"norm": norm, "your_channels": pair[0]}
        if len(set(channels)) < k or not all(0 <= channel < len(norm) for channel in channels):
            raise Wrong(f"they are not {k} different numbers from 0 to {len(norm) - 1}", **show)
        if norm[pair[0]].tolist() != sorted(norm.tolist(), reverse=True)[:k]:
            raise Wrong(**show, their_norms=norm[pair[0]])

    def related() -> None:
        if not is_close(pair[1] * statistics.median_low(norm.tolist()), float(norm.max()), 1e-5):
            raise Wrong(norm=norm, sorted=norm.sort().values, your_ratio=pair[1])

    return [
        Part("returns a pair: channels and a ratio", paired),
        Part("channels is a torch.int64 tensor", typed),
        Part(f"shape (k,) = ({k},)", lambda: has_shape(pair[0], (k,))),
        Part(f"the {k} loudest channels, the loudest first", loudest),
        Part("the ratio is a Python float", lambda: is_number(pair[1])),
        Part("it is the loudest norm over the median", related),
    ]


def outlier_cause(inputs: dict, answer: dict) -> str:
    channels, ratio = answer["value"]
    causes = wrong_channels(inputs["norm"], channels, inputs["k"])
    return next(causes, "") or wrong_ratio(sorted(inputs["norm"].tolist()), float(ratio), inputs["k"])


def wrong_channels(norm: torch.Tensor, channels: torch.Tensor, k: int) -> Iterator[str]:
    loudest = sorted(norm.tolist(), reverse=True)
    if channels.is_floating_point():
        if channels.tolist() == loudest[:k]:
            yield f"These are the norms of the channels; asked for are the places where they stand, {LOUD}"
        return
    found = norm[channels].tolist()
    if found != loudest[:k] and sorted(found) == sorted(loudest[:k]):
        yield f"The channels are the right ones; their order is not: the loudest comes first, {LOUD}"
    elif sorted(found) == loudest[: -k - 1 : -1]:
        yield f"It looks as if these are the quietest channels, ranked the wrong way round, {LOUD}"


def wrong_ratio(ordered: list[float], ratio: float, k: int) -> str:
    loudest, median = ordered[-1], statistics.median_low(ordered)
    guesses = {
        "the loudest was compared with the mean. One loud channel lifts the mean, but not the median":
            loudest / statistics.mean(ordered),
        "the two middle norms were averaged. The course takes the lower one, as torch.median does":
            loudest / statistics.median(ordered),
        "the upper of the two middle norms was taken. The course takes the lower one, as torch.median does":
            loudest / statistics.median_high(ordered),
        "the ratio is upside down": median / loudest,
        "the last of the k channels was compared with the median, not the loudest": ordered[-k] / median,
        "the loudest was compared with the quietest": loudest / ordered[0],
        "the loudest norm was not divided by the median": loudest,
    }  # fmt: skip
    if is_close(ratio, loudest / median, 1e-5):
        return ""
    mistakes = [mistake for mistake, guess in guesses.items() if is_close(ratio, guess, 1e-5)]
    return f"It looks as if {mistakes[0]}: {LOUD}" if mistakes else ""


EXERCISES = [
    Exercise("sum_of_squares", "3.1", squares_cases, squares_parts, squares_cause),
    Exercise("input_norms", "3.2", norms_cases, norms.parts, norms.cause, norms.ask),
    Exercise("outlier_channels", "3.3", outlier_cases, outlier_parts, outlier_cause),
]
