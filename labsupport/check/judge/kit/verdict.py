"""The verdict of a judge as data: parts, the numbers behind the first failure, and the likely mistake.

The student's message is formatted from this data; nothing is parsed back from the message.
"""

import textwrap
from enum import StrEnum
from typing import Any

from msgspec import Struct

from labsupport.check.judge.kit.lines import LONGEST, WIDTH, Line, Mark, folded, wrapped

SHORTER = (
    (0, None),
    (1, None),
    (2, None),
    (2, 2),
    (2, 1),
)  # level, rows: the first that fits is shown
SHORT = 8  # letters of a number that may share a line
LABEL = 40  # letters of a number's name
NO_POINTS = "What is noted costs no points in the grade. Mend it: code that calls the function relies on it."


class Ending(StrEnum):
    """The status of an exercise.

    UNASKED: its check cell sent no request; FAULT: its judge failed; GIVEN: it takes the course's function.
    """

    RIGHT = "right"
    WRONG = "wrong"
    UNWRITTEN = "unwritten"
    UNASKED = "unasked"
    FAULT = "fault"
    GIVEN = "given"


class Place(Struct, frozen=True):
    """A file in the class's table. file: its SHA-256; dense: the dense model's perplexity there."""

    file: str
    bytes: int
    perplexity: float
    dense: float

    def said(self) -> str:
        """The numbers of the file, in one line."""
        return f"{self.bytes:,} bytes, perplexity {self.perplexity:.4g} (dense {self.dense:.4g})"


class Verdict(Struct, frozen=True, kw_only=True):
    """The judgement on one exercise.

    share: the share of the points, 0 to 1. show: the numbers behind the failure by label, made by `data`.
    cause: sentences on the likely mistake, the last one with an experiment. mistake: an identifier shared
    by verdicts on the same mistake, independent of numbers in their sentences. given: the student's wrong
    earlier functions whose answers this verdict takes as given (carried.py). place: in the class's table.
    """

    exercise: str
    number: str
    status: Ending
    lines: list[Line]
    share: float
    show: dict[str, Any] = {}
    cause: str = ""
    mistake: str = ""
    given: list[str] = []
    place: Place | None = None

    @property
    def passed(self) -> int:
        """The number of parts that passed."""
        return sum(line.status == Mark.PASSED for line in self.lines)

    @property
    def total(self) -> int:
        """The number of parts."""
        return len(self.lines)

    def headline(self) -> str:
        """The mistake in one sentence: the first of the cause, else the first part that failed."""
        if self.given and self.status == Ending.RIGHT:
            return f"right, {self.condition()}"
        failed = {line.status: line.text for line in reversed(self.lines)}
        failed = failed.get(Mark.FAILED) or failed.get(Mark.NOTED, "")
        return first_sentence(self.cause) or failed

    def condition(self) -> str:
        """The condition of a verdict that takes earlier answers as given; "" for any other."""
        *most, last = self.given or [""]
        names, them = (f"{', '.join(most)} and {last}", "those") if most else (last, "that")
        return f"given your {names}; mend {them} first" if last else ""

    def message(self, above: int = 0) -> str:
        """The message for the student, 83 columns wide. above: lines of a warning that stands over it."""
        head = f"Check {self.number}  {self.exercise}: "
        if self.given and self.status == Ending.RIGHT:
            return textwrap.fill(head + self.headline(), WIDTH, subsequent_indent="  ")
        if self.status == Ending.RIGHT:
            return f"{head}all {self.total} parts pass" + (f"\n  {self.place.said()}" if self.place else "")
        if self.status == Ending.FAULT:
            return textwrap.fill(head + self.cause, WIDTH)
        if self.status == Ending.GIVEN:
            return f"{head}given: 0 points\n\n{_wrapped(self.cause)}\n"
        if self.status == Ending.UNWRITTEN:
            return f"{head}not written yet\n" + (f"\n{_wrapped(self.cause)}\n" if self.cause else "")
        texts = [self._failure(head, *how) for how in SHORTER]
        return next((text for text in texts if above + len(text.splitlines()) <= LONGEST), texts[-1])

    def _failure(self, head: str, level: int, rows: int | None) -> str:
        """The message of a wrong answer: its parts folded to this level, a number in at most `rows` lines."""
        blocks = [
            f"{head}not yet ({self.passed} of {self.total} parts pass)",
            _wrapped(self.cause) if self.cause else "",
            "\n".join(folded(self.lines, level)),
        ]
        if self.given:
            blocks.append(_wrapped(f"The parts are judged {self.condition()}."))
        if self.show:
            blocks.append("\n".join(_shown(self.show, rows)))
        if any(line.status == Mark.NOTED for line in self.lines):
            blocks.append(_wrapped(NO_POINTS))
        return "\n\n".join(filter(None, blocks))

    def as_json(self) -> dict:
        """The verdict as `grader try --json` prints it."""
        return {
            "exercise": self.exercise,
            "status": self.status,
            "passed": self.passed,
            "total": self.total,
            "message": self.message(),
        }


class CheckFailed(Exception):
    """The error that ends a check cell. Its text is the message; IPython shows no traceback."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def plain(value) -> str:
    """A value as short readable text."""
    if isinstance(value, dict):
        shape = " x ".join(map(str, value["shape"]))
        first = plain(value["first"]).rstrip("]")
        return f"{shape}, starting {first}, ...]" if value["first"] else f"{shape}, empty"
    if isinstance(value, list):
        return "[" + ", ".join(plain(item) for item in value) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def first_sentence(text: str) -> str:
    """The text up to its first full stop, question mark or exclamation mark before a space."""
    words = []
    for word in text.split():
        words.append(word)
        if word[-1] in ".!?" and word not in ("e.g.", "i.e."):
            break
    return " ".join(words)


def _wrapped(sentences: str) -> str:
    return "\n".join(
        textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="  ")
        for line in sentences.splitlines()
    )


def _shown(show: dict[str, Any], rows: int | None) -> list[str]:
    """One line, or as many as it needs, for every number; `rows` bounds them and puts short ones together."""
    named = {label[:LABEL]: value for label, value in show.items()}
    texts = {label: value if isinstance(value, str) else plain(value) for label, value in named.items()}
    short = [label for label, text in texts.items() if len(text) <= SHORT and not label.startswith("your")]
    short = [] if rows is None else short
    together = ", ".join(f"{label} {texts.pop(label)}" for label in short)
    wide = max((len(label) for label in texts), default=0)
    own = [wrapped(text, f"  {label:<{wide}}  ", " " * (wide + 4), rows) for label, text in texts.items()]
    return [wrapped(together, "  ", "  "), *own] if together else own
