"""paired_p_value: could chance alone have turned one model's answers into another's?"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, is_close, is_number
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

COIN = see("7.4", "A coin for every answer that changed")


def cases(seed: int) -> list[Case]:
    """Few documents, on which each mistake shows; no tosses, one, and thousands."""
    source = draw.rng(seed, "paired_p_value")

    def drawn(lost: tuple[int, int], won: tuple[int, int], alike: tuple[int, int] = (2, 7)) -> dict:
        counts = [source.randint(*each) for each in (lost, won, alike, alike)]
        return _shuffled(source, *counts)

    even = source.randint(2, 6)
    lost = source.randint(740, 760)
    return [
        Case("a few documents", draw.until(lambda: drawn((5, 8), (1, 3)), _suits)),
        Case("the second model is the better one", draw.until(lambda: drawn((1, 3), (6, 9)), _suits)),
        Case("as many won as lost", drawn((even, even), (even, even))),
        Case("the models differ on no document", drawn((0, 0), (0, 0))),
        Case("they differ on one document", drawn((1, 1), (0, 0))),
        Case("only lost, none won", drawn((6, 9), (0, 0))),
        Case("3,000 documents: nothing overflows", _shuffled(source, lost, 680, 900, 1420 - lost)),
        Case("2,000 documents, nearly all of them lost", _shuffled(source, 1900, 20, 30, 50)),
    ]


def _shuffled(source, lost: int, won: int, right: int, wrong: int) -> dict:
    """Two models' answers, bool [n]: so many lost, won, right both times, wrong both times."""
    pairs = [(True, False)] * lost + [(False, True)] * won + [(True, True)] * right + [(False, False)] * wrong
    source.shuffle(pairs)
    before, after = torch.tensor(pairs).unbind(dim=1)  # [n] each
    return {"before": before.clone(), "after": after.clone()}


def _suits(inputs: dict) -> bool:
    """Whether each mistake comes to a number of its own."""
    outcomes = [(_expected(inputs), "right"), *mistakes(inputs)]
    return draw.apart(outcomes, lambda one, other: is_close(one, other, 1e-3))


def _counts(inputs: dict) -> tuple[int, int]:
    """How many documents only the first model, and only the second one, answers rightly."""
    step = inputs["after"].int() - inputs["before"].int()  # [n]: -1 lost, 1 won
    return int((step == -1).sum()), int((step == 1).sum())


def _chance(tosses: int, among: Callable[[torch.Tensor], torch.Tensor]) -> float:
    """The probability that a number of heads is among these, by logarithms of factorials."""
    heads = torch.arange(tosses + 1, dtype=torch.float64)  # [tosses + 1]
    logs = math.lgamma(tosses + 1) - torch.lgamma(heads + 1) - torch.lgamma(tosses - heads + 1)
    return (logs[among(heads)].logsumexp(dim=0) - tosses * math.log(2)).exp().item()


def _expected(inputs: dict) -> float:
    lost, won = _counts(inputs)
    return _chance(lost + won, lambda heads: (2 * heads - lost - won).abs() >= abs(lost - won))


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the probability."""
    found, n = answer.value, len(inputs["before"])

    def wrong() -> Wrong:
        lost, won = _counts(inputs)
        shown: dict[str, Any] = inputs if n <= 30 else {"documents": n}
        return Wrong(**shown, lost=lost, won=won, your_p_value=float(found))

    def probability() -> None:
        if not 0 <= found <= 1:
            raise wrong()

    def right() -> None:
        if not is_close(found, _expected(inputs), 1e-6):
            raise wrong()

    return [
        Part("a Python float", lambda: is_number(found)),
        Part("a probability, from 0 to 1", probability),
        Part("how often a fair coin splits the changed answers so unevenly, or more", right),
    ]


def mistakes(inputs: dict) -> list[tuple[float, Named]]:
    """The number that each mistake comes to, and its name."""
    lost, won = _counts(inputs)
    n, tosses, few = len(inputs["before"]), lost + won, min(lost, won)
    both = int((inputs["before"] & inputs["after"]).sum())
    right = _expected(inputs)
    before, after = both + lost, both + won  # right answers

    def tail(tosses: int, most: int) -> float:
        return _chance(tosses, lambda heads: heads <= most)

    one_side = (
        f"one side was counted. The coin may fall as unevenly the other way: the test is two-sided, {COIN}"
    )
    twice = (
        "the middle was counted twice. With as many won as lost every split is as uneven or more: "
        "a probability ends at 1."
    )
    other_end = (
        "the tail was added up from the wrong end: as uneven or more means as few as the smaller count, or "
        f"fewer, {COIN}"
    )
    exactly = f"this very split was counted. More uneven ones count too, {COIN}"
    without = f"the split itself was left out: as uneven counts, not only more uneven, {COIN}"
    all_tossed = (
        "every document was tossed for. Where both models are right, or both wrong, nothing changed, and "
        f"there is no coin, {COIN}"
    )
    agreed = (
        "the documents on which the two models agree were counted. Those on which they differ decide, "
        f"{COIN}\nTry before != after."
    )
    normal = (
        "the coin was replaced by a normal distribution (McNemar's chi-square). That is an approximation for "
        f"many tosses; the exact count is asked for, {COIN}"
    )
    unpaired = (
        "the two accuracies were compared as if they came from different documents. The same ones were "
        f"asked twice: look at each document's two answers, {COIN}"
    )
    totals = (
        "the right answers of each model were counted, also those that both have. Only lost and won ones are "
        f"tossed for, {COIN}\nTry before & ~after."
    )
    found = [
        (tail(tosses, few), one_side),
        (min(1.0, 2 * tail(tosses, max(lost, won))), other_end),
        (2 * tail(tosses, max(lost, won)), other_end),
        (2 * _chance(tosses, lambda heads: heads == few), exactly),
        (_chance(tosses, lambda heads: heads == few), exactly),
        (right - (1 + (lost != won)) * _chance(tosses, lambda heads: heads == few), without),
        (min(1.0, 2 * tail(n, few)), all_tossed),
        (min(1.0, 2 * tail(before + after, min(before, after))), totals),
        (min(1.0, 2 * tail(n - tosses, min(both, n - tosses - both))), agreed),
        (1 - right, "this is 1 - p: how often the split is less uneven. A small p speaks against chance."),
    ]
    if not tosses:
        found = [(0.0, f"0 was returned where no answer changed. Chance explains no difference: 1, {COIN}")]
    if lost == won:
        found.insert(0, (2 * tail(tosses, few), twice))
    if tosses:  # without Yates's correction, and with it
        found += [(_two_sided(abs(lost - won) - less, tosses), normal) for less in (0, 1)]
    if n > 1:
        shares = (before / n, after / n)
        spread = sum(share * (1 - share) for share in shares)
        found += [(_two_sided(shares[0] - shares[1], spread / m), unpaired) for m in (n, n - 1) if spread]
    return [(wrong, looks(said)) for wrong, said in found]


def _two_sided(difference: float, variance: float) -> float:
    """How often a normal variable of this variance is as far from 0, or farther."""
    return math.erfc(abs(difference) / math.sqrt(2 * variance))


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a number shows."""
    for wrong, said in mistakes(inputs):
        if is_close(answer.value, wrong, 1e-6) and not is_close(wrong, _expected(inputs), 1e-6):
            yield said


EXERCISE = Exercise("paired_p_value", "7.4", cases, parts, cause)
