"""The parts of an exercise as lines of a message."""

import textwrap
from collections import Counter
from enum import StrEnum

from msgspec import Struct

WIDTH = 83  # nbgrader's Validate cuts longer lines
MOST = 10  # lines that a message lists one by one
LONGEST = 20  # lines of a message: a longer one is not read to its end


class Mark(StrEnum):
    """The status of one part; OPEN: not reached; NOTED: violated, by the word of the student's process."""

    PASSED = "passed"
    FAILED = "FAILED"
    NOTED = "noted"
    OPEN = "open"


class Line(Struct, frozen=True):
    """One part of an exercise, its status, and the reason of a failure; equal reasons have equal keys."""

    status: Mark
    title: str
    reason: str = ""
    key: str = ""

    @property
    def text(self) -> str:
        """Title and reason as one sentence."""
        return f"{self.title}: {self.reason}" if self.reason else self.title


def folded(lines: list[Line], level: int = 0) -> list[str]:
    """The lines as text: equal failures and notes once, open parts counted, many passed ones counted as well.

    level: 1 counts the passed ones in any case; 2 also shows only the first failed and the first noted one.
    """
    lengthy, brief = len(lines) > MOST or level > 0, level > 1
    shown: list[str] = []
    counts = Counter(line.status for line in lines)
    reasons = Counter((line.status, line.key or line.reason) for line in lines)
    seen: set[tuple[Mark, str]] = set()
    told: set[Mark] = set()
    for line in lines:
        key = (line.status, line.key or line.reason)
        if line.status == Mark.OPEN or (lengthy and line.status == Mark.PASSED) or key in seen:
            continue
        if brief and line.status in told:
            continue
        shown.append(_line(line, 4 if brief else None))
        told.add(line.status)
        if line.status == Mark.FAILED and brief and (others := counts[Mark.FAILED] - 1):
            shown.append(f"{'':12}and {many(others, 'more part')}")
        elif line.status in (Mark.FAILED, Mark.NOTED) and key[1]:
            seen.add(key)
            if again := reasons[key] - 1:
                shown.append(f"{'':12}and {many(again, 'more part')}, for the same reason")
    if lengthy and counts[Mark.PASSED]:
        shown.insert(0, f"  {Mark.PASSED:<9} {many(counts[Mark.PASSED], 'part')}")
    if counts[Mark.OPEN]:
        shown.append(f"  {Mark.OPEN:<9} {many(counts[Mark.OPEN], 'part')}, until the failed ones pass")
    return shown


def many(count: float, one: str, more: str = "") -> str:
    """A count and its noun: "1 token", "2 tokens"; `more` is what is said of two, where no "s" makes it."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def _line(line: Line, rows: int | None) -> str:
    return wrapped(line.text, f"  {line.status:<9} ", " " * 12, rows)


def wrapped(text: str, first: str, later: str, rows: int | None = None) -> str:
    """A text in lines of WIDTH, after `first` and `later`; cut after `rows` lines if given."""
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=later, max_lines=rows, placeholder=" ..."
    )


def some_of(count: int, total: int, one: str = "is", more: str = "are") -> str:
    """A part of a total and its verb: "1 of 8 is", "2 of 8 are"."""
    return f"{count:,} of {total:,} {one if count == 1 else more}"
