"""standard_error: how far off a share of n questions may be."""

import math
from collections.abc import Iterator

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Cause, Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, is_close, is_number
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

SHARE = see("7.3", "How far off may a share be?")
ROUND = [(0.5, 26), (0.5, 101), (0.2, 26), (0.8, 17), (0.9, 37), (0.1, 145), (0.2, 65), (0.9, 145)]


def cases(seed: int) -> list[Case]:
    """A share whose standard error is a round number, that of the report, and the ends of the range."""
    source = draw.rng(seed, "standard_error")
    accuracy, n = source.choice(ROUND)
    return [
        Case(f"{accuracy:.0%} of {n} questions", {"accuracy": accuracy, "n": n}),
        Case("the report's 30.12 % of 1,172 questions", {"accuracy": 0.3012, "n": 1172}),
        Case("another share", {"accuracy": source.randrange(20, 90) / 100, "n": source.randrange(50, 2000)}),
        Case("one of two questions", {"accuracy": 0.5, "n": 2}),
        Case("not one question right", {"accuracy": 0.0, "n": 40}),
        Case("every question right", {"accuracy": 1.0, "n": 40}),
    ]


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the standard error."""
    found, p, n = answer.value, inputs["accuracy"], inputs["n"]

    def right() -> None:
        squared = found * found  # found**2 raises OverflowError where this is infinite
        if found < 0 or not is_close(squared * (n - 1), p - p * p, 1e-6):
            raise Wrong(accuracy=p, n=n, your_standard_error=float(found))

    return [
        Part("a Python float", lambda: is_number(found)),
        Part("the standard error of a share, as the harness reports it", right),
    ]


def mistakes(p: float, n: int) -> list[tuple[float, Named]]:
    """The number that each mistake comes to, and its name."""
    spread = p * (1 - p)
    root = math.sqrt(spread / (n - 1))
    too_many = (
        f"n = {n} was taken where n - 1 belongs: the share is estimated from the same {n} questions, {SHARE}"
    )
    single = f"n was not used: this is how far single answers scatter, not their share, {SHARE}"
    found = [
        (math.sqrt(spread / n), Cause(too_many, "n instead of n - 1")),
        (math.sqrt(spread / (n + 1)), f"n + 1 was taken where n - 1 belongs, {SHARE}"),
        (spread / (n - 1), f"the square root is missing: this is the variance, {SHARE}"),
        (spread / n, f"the square root is missing, and n stands where n - 1 belongs, {SHARE}"),
        (math.sqrt(spread), single),
        (math.sqrt(spread) / (n - 1), f"only p (1 - p) is under the root, {SHARE}"),
        (spread / math.sqrt(n - 1), f"only n - 1 is under the root, {SHARE}"),
        (math.sqrt(p / (n - 1)), f"the factor 1 - p is missing, {SHARE}"),
        (100 * root, "this is in percentage points; accuracy goes from 0 to 1."),
        (1.96 * root, "this is half a 95 % interval, 1.96 standard errors. One is asked for."),
        (spread / (n - 1) / 2, f"the variance was halved: * 0.5 halves, ** 0.5 takes the root, {SHARE}"),
        (0.0, "// or int() made 0 of a number below 1. / divides."),
        (p + root, "the accuracy was added. The standard error alone is asked for."),
        (2 * root, "this is two standard errors; one is asked for."),
    ]
    return [(wrong, looks(said)) for wrong, said in found]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a number shows."""
    for wrong, said in mistakes(inputs["accuracy"], inputs["n"]):
        if is_close(answer.value, wrong, 1e-6):
            yield said


EXERCISE = Exercise("standard_error", "7.3", cases, parts, cause)
