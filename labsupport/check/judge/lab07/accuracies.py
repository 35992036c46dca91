"""accuracies: the shares of questions whose right choice is the likeliest, by sum and by byte."""

import operator
from collections.abc import Iterator
from typing import Any

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Cause, Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, is_close, is_number, kind
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

LONG = see("7.2", "Long answers are unlikely")
Shares = tuple[float, float]  # acc and acc_norm


def cases(seed: int) -> list[Case]:
    """Questions on which each mistake shows, of other sizes, with a choice less, all right, none right."""
    source = draw.rng(seed, "accuracies")
    some = _questions(source, 5, 4)
    some["logprobs"][::2, 3], some["lengths"][::2, 3] = -torch.inf, 1
    some["answers"][::2] = some["answers"][::2] % 3
    alone = _questions(source, 1, 4)
    return [
        Case("six questions of three choices", draw.until(lambda: _six(source), _suits)),
        Case("as many questions as choices", _questions(source, 4, 4)),
        Case("questions with three and with four choices", some),
        Case("a single question", alone),
        Case("two hundred questions", draw.until(lambda: _many(source), _suits)),
        Case("every answer is right", _certain(source, right=True)),
        Case("no answer is right", _certain(source, right=False)),
    ]


def _questions(source, n: int, choices: int) -> dict:
    """Questions on which no choice ties with another, by sum or by byte.

    logprobs: float64 [n, choices]; lengths: int64 [n, choices]; answers: int64 [n].
    """
    rows = []
    while len(rows) < n:
        sums, sizes = source.sample(range(-48, -4), choices), source.sample(range(2, 13), choices)
        if len({value / size for value, size in zip(sums, sizes, strict=True)}) == choices:
            rows.append((sums, sizes))
    logprobs, lengths = (torch.tensor(values) for values in zip(*rows, strict=True))  # [n, choices]
    answers = torch.tensor([source.randrange(choices) for _ in range(n)])  # [n]
    return {"logprobs": logprobs.double(), "lengths": lengths, "answers": answers}


def _six(source) -> dict:
    """Six questions whose answers hit each way to choose another number of times, if that can be had."""
    inputs = _questions(source, 6, 3)
    logprobs, lengths = inputs["logprobs"], inputs["lengths"]
    cut = logprobs // lengths
    scores = (logprobs, logprobs / lengths, logprobs * lengths, logprobs.exp() / lengths, cut)
    chosen = [score.argmax(dim=1).tolist() for score in scores]  # of each way, n choices
    for _ in range(50):
        answers = [source.randrange(3) for _ in range(6)]
        hits = {sum(map(operator.eq, way, answers)) for way in chosen}
        if len(hits) == len(chosen):
            break
    return {**inputs, "answers": torch.tensor(answers)}


def _many(source) -> dict:
    """Two hundred questions, half of them with the likeliest choice per byte: other scores hit fewer."""
    inputs = _questions(source, 200, 4)
    best = (inputs["logprobs"] / inputs["lengths"]).argmax(dim=1)  # [n]
    return {**inputs, "answers": torch.cat([best[:100], inputs["answers"][100:]])}


def _suits(inputs: dict) -> bool:
    """Whether each mistake shows in a pair of numbers of its own, and neither share is 0."""
    shares = _shares(**inputs)
    return all(shares) and draw.apart([(shares, "right"), *mistakes(inputs)], _alike)


def _alike(one: Shares, other: Shares) -> bool:
    """Whether two pairs of numbers are equal up to rounding."""
    return all(is_close(*both, 1e-6) for both in zip(one, other, strict=True))


def _certain(source, right: bool) -> dict:
    """Seven questions with choices of equal length, all of them right or none."""
    inputs = _questions(source, 7, 4)
    best = inputs["logprobs"].argmax(dim=1)  # [n]
    inputs["lengths"].fill_(source.randrange(3, 9))
    inputs["answers"] = best if right else (best + 1) % 4
    return inputs


def _chosen(scores: torch.Tensor, answers: torch.Tensor) -> float:
    """The share of questions whose answer has the highest score, in Python's own numbers.

    scores: [n, choices]; answers: [n].
    """
    pairs = zip(scores.tolist(), answers.tolist(), strict=True)
    return sum(row.index(max(row)) == answer for row, answer in pairs) / len(answers)


def _shares(logprobs: torch.Tensor, lengths: torch.Tensor, answers: torch.Tensor) -> Shares:
    """acc and acc_norm. logprobs, lengths: [n, choices]; answers: [n]."""
    return _chosen(logprobs, answers), _chosen(logprobs / lengths, answers)


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the two shares."""
    found, n = answer.value, len(inputs["answers"])
    expected = _shares(**inputs)

    def two() -> None:
        if found is None:
            raise Wrong(kind(found))
        if not isinstance(found, tuple) or len(found) != 2:
            size = f" of {len(found)}" if isinstance(found, tuple) else ""
            raise Wrong(kind(found, "yours is") + size)

    def numbers() -> None:
        for value in found:
            is_number(value)

    def shares() -> None:
        if not all(0 <= value <= 1 for value in found):
            raise Wrong(your_pair=found, questions=n)

    def right(index: int) -> None:
        if not is_close(found[index], expected[index], 1e-6):
            small: dict[str, Any] = inputs if n <= 6 else {"questions": n}
            raise Wrong(**small, your_pair=found)

    return [
        Part("a tuple of two", two),
        Part("both are Python floats", numbers),
        Part("both are shares, from 0 to 1", shares),
        Part("acc: the share of questions whose right choice has the highest sum", lambda: right(0)),
        Part("acc_norm: the share whose right choice has the highest sum per byte", lambda: right(1)),
    ]


def mistakes(inputs: dict) -> list[tuple[Shares, Named]]:
    """The pair that each mistake comes to, and its name."""
    logprobs, lengths, answers = inputs["logprobs"], inputs["lengths"], inputs["answers"]
    n, choices = logprobs.shape
    acc, norm = _shares(**inputs)
    cut = (logprobs // lengths).nan_to_num(torch.inf)  # a gap's NaN is the highest for argmax
    per_byte = f"Each choice's sum is divided by the length of that choice, {LONG}"
    counts = f"you return how many of the {n} are right; a share is asked for."
    by_choices = f"you divided by the {choices} choices; there are {n} questions."
    times = (
        f"the sums were multiplied by the lengths. {per_byte}\n"
        "Try a choice of -10 with 5 bytes: it should come out as -2."
    )
    odds = f"probabilities were divided by lengths: the logarithms are what adds up, {LONG}"
    least = (
        "the least likely choice was taken: log-probabilities are negative, and the one nearest to 0 is "
        "the best."
    )
    found = [
        *_gaps(logprobs, lengths, answers),
        ((norm, acc), "the two changed places: acc comes first."),
        ((acc, acc), f"the lengths were not used: both numbers are acc. {per_byte}"),
        ((norm, norm), f"both numbers are normalised: acc takes the sums as they are, {LONG}"),
        ((acc * n, norm * n), Cause(counts, "counts instead of shares")),
        ((acc * n / choices, norm * n / choices), Cause(by_choices, "divided by the number of choices")),
        ((100 * acc, 100 * norm), "these are percentages; shares go from 0 to 1."),
        ((1 - acc, 1 - norm), "these are the shares of wrong answers."),
        ((acc, _chosen(logprobs * lengths, answers)), times),
        ((acc, _chosen(logprobs.exp() / lengths, answers)), odds),
        ((acc, _chosen(cut, answers)), f"the quotients were cut: / divides, // cuts, {LONG}"),
        ((_chosen(-logprobs, answers), _chosen(-logprobs / lengths, answers)), least),
    ]
    return [(pair, looks(said)) for pair, said in found]


def _gaps(logprobs: torch.Tensor, lengths: torch.Tensor, answers: torch.Tensor) -> Iterator:
    """What it comes to where the gaps of questions with fewer choices win."""
    gaps = logprobs.isinf()
    if bool(gaps.any()):
        filled = logprobs.masked_fill(gaps, 0.0)
        said = f"a gap won, a choice that is not there. Its -inf stays as it is: so it never wins, {LONG}"
        yield (_chosen(filled, answers), _chosen(filled / lengths, answers)), said


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a pair of numbers shows."""
    found = answer.value
    if len(found) != 2:
        return
    if any(isinstance(value, torch.Tensor) for value in found):
        yield "Shares are compared and printed: return floats. Try .item() on each of the two."
        return
    for pair, said in mistakes(inputs):
        if _alike(found, pair):
            yield said


EXERCISE = Exercise("accuracies", "7.2", cases, parts, cause, everywhere=True)
