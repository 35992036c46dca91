"""Judges outlier_channels, exercise 3.3: the loudest channels, and how far they stand out."""

import statistics
from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Named, see
from labsupport.check.judge.kit.compare import Wrong, has_shape, is_close, is_number, is_tensor, kind
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.lines import many

LOUD = see("3.3", "Loud channels")


def cases(seed: int) -> list[Case]:
    """Norms [in] with one outlier channel, with ties, with silent ones, and k at both ends of its range."""
    source = draw.rng(seed, "outlier_channels")

    def sizes(count: int) -> torch.Tensor:
        norm = draw.distinct(source, count).abs() + 1  # [in]
        norm[norm.argmax()] *= 10
        return norm

    tied = draw.tied(source, 9).abs() + 1  # [in]
    tied[source.sample(range(9), 3)] = 12.0
    cut = tied.clone()  # two of the three are asked for
    silent = sizes(9)
    silent[silent.topk(3, largest=False).indices] = 0.0
    many = draw.normal(source, 576).exp()  # [in]
    many[source.randrange(576)] = 300.0
    return [
        Case("seven channels, the two loudest", {"norm": draw.until(lambda: sizes(7), _telling), "k": 2}),
        Case("an even number of channels", {"norm": sizes(8), "k": 3}),
        Case("three channels equally loud", {"norm": tied, "k": 3}),
        Case("three channels equally loud, two asked for", {"norm": cut, "k": 2}),
        Case("three channels that are always zero", {"norm": silent, "k": 2}),
        Case("the loudest alone", {"norm": sizes(5), "k": 1}),
        Case("all channels", {"norm": sizes(5), "k": 5}),
        Case("576 channels", {"norm": many, "k": 5}),
    ]


def _telling(norm: torch.Tensor) -> bool:
    """Whether the norm in the middle of norms [7] is none of those that other mistakes divide by."""
    return sorted(norm.tolist()).index(norm[len(norm) // 2]) in (1, 2, 4)


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the pair: channels, int64 [k], and the ratio, a float."""
    norm, k, pair = inputs["norm"], inputs["k"], answer.value

    def paired() -> None:
        if not isinstance(pair, tuple):
            raise Wrong(kind(pair))
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
            raise Wrong(f"they are not {many(k, 'different number')} from 0 to {len(norm) - 1}", **show)
        if norm[pair[0]].tolist() != sorted(norm.tolist(), reverse=True)[:k]:
            raise Wrong(**show, their_norms=norm[pair[0]])

    def related() -> None:
        if not is_close(pair[1] * statistics.median_low(norm.tolist()), float(norm.max()), 1e-5):
            raise Wrong(norm=norm, sorted=norm.sort().values, your_ratio=pair[1])

    return [
        Part("returns a pair: channels and a ratio", paired),
        Part("channels is a torch.int64 tensor", typed),
        Part(f"shape (k,) = ({k},)", lambda: has_shape(pair[0], (k,))),
        Part(f"the {many(k, 'loudest channel')}, the loudest first", loudest),
        Part("the ratio is a Python float", lambda: is_number(pair[1])),
        Part("it is the loudest norm over the median", related),
    ]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a wrong pair shows."""
    channels, ratio = answer.value
    norm, k = inputs["norm"], inputs["k"]
    if isinstance(channels, torch.Tensor) and channels.shape == (k,):
        yield from wrong_channels(norm, channels, k)
    yield from wrong_ratio(norm.tolist(), float(ratio), k)


def wrong_channels(norm: torch.Tensor, channels: torch.Tensor, k: int) -> Iterator[Named]:
    """Mistakes in the choice or the order of the channels; norm [in], channels [k]."""
    loudest = sorted(norm.tolist(), reverse=True)
    if channels.is_floating_point() and channels.tolist() == loudest[:k]:
        yield f"These are the norms of the channels; the exercise asks for their places, {LOUD}"
    if channels.dtype is not torch.int64:
        return
    theirs = norm[channels].tolist()
    if theirs != loudest[:k] and sorted(theirs) == sorted(loudest[:k]):
        yield f"The channels are the right ones; their order is not: the loudest comes first, {LOUD}"
    elif sorted(theirs) == loudest[: -k - 1 : -1]:
        yield f"It looks as if these are the quietest channels, ranked the wrong way round, {LOUD}"


def wrong_ratio(norms: list[float], ratio: float, k: int) -> Iterator[Named]:
    """Mistakes in what is divided by what."""
    ordered = sorted(norms)
    loudest, median = ordered[-1], statistics.median_low(ordered)
    guesses = {
        "the loudest was compared with the mean. One loud channel lifts the mean, but not the median":
            loudest / statistics.mean(ordered),
        "the two middle norms were averaged. The course takes the lower one, as torch.median does":
            loudest / statistics.median(ordered),
        "the upper of the two middle norms was taken. The course takes the lower one, as torch.median does":
            loudest / statistics.median_high(ordered),
        "the norm in the middle of the list was taken, and the list is not sorted":
            loudest / (norms[len(norms) // 2] or 1),
        "the ratio is upside down": median / loudest,
        "the last of the k channels was compared with the median, not the loudest": ordered[-k] / median,
        "the loudest was compared with the quietest": loudest / ordered[0],
        "the loudest norm was not divided by the median": loudest,
    }  # fmt: skip
    if is_close(ratio, loudest / median, 1e-5):
        return
    for mistake, guess in guesses.items():
        if is_close(ratio, guess, 1e-5):
            yield f"It looks as if {mistake}: {LOUD}"


EXERCISE = Exercise("outlier_channels", "3.3", cases, parts, cause)
