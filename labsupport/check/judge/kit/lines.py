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
    """One part of an exercise, its status, and the reason of a failure; equal errors have equal keys."""

    status: Mark
    title: str
    reason: str = ""
    key: str = ""

    @property
    def text(self) -> str:
        """Title and reason as one sentence."""
        return f"{self.title}: {self.reason}" if self.reason else self.title


def folded(lines: list[Line], level: int = 0) -> list[str]:
    """The lines as text: equal failures once, open parts counted, and many passed ones counted as well.

    level: 1 counts the passed ones in any case; 2 also shows only the first failed and the first noted one.
    """
    many, brief = len(lines) > MOST or level > 0, level > 1
    shown: list[str] = []
    counts = Counter(line.status for line in lines)
    failed = Counter(line.key or line.reason for line in lines if line.status == Mark.FAILED)
    seen: set[str] = set()
    told: set[Mark] = set()
    for line in lines:
        key = line.key or line.reason
        if line.status == Mark.OPEN or (many and line.status == Mark.PASSED) or key in seen:
            continue
        if brief and line.status in told:
            continue
        shown.append(_line(line, 4 if brief else None))
        told.add(line.status)
        if line.status == Mark.FAILED and brief and (others := counts[Mark.FAILED] - 1):
            shown.append(f"{'':12}and {_parts(others, 'more part')}")
        elif line.status == Mark.FAILED and key:
            seen.add(key)
            if again := failed[key] - 1:
                shown.append(f"{'':12}and {_parts(again, 'more part')}, for the same reason")
    if many and counts[Mark.PASSED]:
        shown.insert(0, f"  {Mark.PASSED:<9} {_parts(counts[Mark.PASSED], 'part')}")
    if counts[Mark.OPEN]:
        shown.append(f"  {Mark.OPEN:<9} {_parts(counts[Mark.OPEN], 'part')}, until the failed ones pass")
    return shown


def _parts(count: int, what: str) -> str:
    return f"{count} {what}" + "s" * (count != 1)


def _line(line: Line, rows: int | None) -> str:
    return wrapped(line.text, f"  {line.status:<9} ", " " * 12, rows)


def wrapped(text: str, first: str, later: str, rows: int | None = None) -> str:
    """A text in lines of WIDTH, after `first` and `later`; cut after `rows` lines if given."""
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=later, max_lines=rows, placeholder=" ..."
    )
