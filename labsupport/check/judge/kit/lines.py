"""The parts of an exercise as lines of a message."""

import textwrap
from collections import Counter
from enum import StrEnum

from msgspec import Struct

WIDTH = 83  # nbgrader's Validate cuts longer lines
MOST = 10  # lines that a message lists one by one


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


def folded(lines: list[Line]) -> list[str]:
    """The lines as text: equal failures once, open parts counted, and many passed ones counted as well."""
    many = len(lines) > MOST
    shown: list[str] = []
    failed = Counter(line.key or line.reason for line in lines if line.status == Mark.FAILED)
    seen: set[str] = set()
    for line in lines:
        key = line.key or line.reason
        if line.status == Mark.OPEN or (many and line.status == Mark.PASSED) or key in seen:
            continue
        shown.append(_line(line))
        if line.status == Mark.FAILED and key:
            seen.add(key)
            if again := failed[key] - 1:
                shown.append(f"{'':12}and {_parts(again, 'more part')}, for the same reason")
    counts = {status: sum(line.status == status for line in lines) for status in (Mark.PASSED, Mark.OPEN)}
    if many and counts[Mark.PASSED]:
        shown.insert(0, f"  {Mark.PASSED:<9} {_parts(counts[Mark.PASSED], 'part')}")
    if counts[Mark.OPEN]:
        shown.append(f"  {Mark.OPEN:<9} {_parts(counts[Mark.OPEN], 'part')}, until the failed ones pass")
    return shown


def _parts(count: int, what: str) -> str:
    return f"{count} {what}" + "s" * (count != 1)


def _line(line: Line) -> str:
    return textwrap.fill(line.text, WIDTH, initial_indent=f"  {line.status:<9} ", subsequent_indent=" " * 12)
