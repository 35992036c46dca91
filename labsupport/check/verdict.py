"""What a check says: parts that passed, the first that failed, and what to do next."""

import textwrap
from dataclasses import dataclass, field

import torch

WIDTH = 83  # nbgrader's Validate cuts longer lines
RIGHT, WRONG, UNWRITTEN = "right", "wrong", "unwritten"


@dataclass(frozen=True)
class Line:
    """One part of an exercise and how it ended: `passed`, `FAILED` or `open` (not reached)."""

    status: str
    title: str


@dataclass(frozen=True)
class Verdict:
    """The judgement on one exercise; `share` is the part of the points it earns, 0 to 1."""

    exercise: str
    number: str
    status: str
    lines: list[Line]
    share: float
    show: dict = field(default_factory=dict)  # label -> value, the numbers behind the failure
    cause: str = ""  # sentences on the likely mistake, one experiment last

    @property
    def passed(self) -> int:
        return sum(line.status == "passed" for line in self.lines)

    @property
    def total(self) -> int:
        return len(self.lines)

    def message(self) -> str:
        """The text a student reads, 83 columns wide."""
        head = f"Check {self.number}  {self.exercise}: "
        if self.status == RIGHT:
            return f"{head}all {self.total} parts pass"
        if self.status == UNWRITTEN:
            return f"{head}not written yet\n" + (f"\n{_wrapped(self.cause)}\n" if self.cause else "")
        blocks = [
            f"{head}not yet ({self.passed} of {self.total} parts pass)",
            "\n".join(_line(line) for line in self.lines),
        ]
        if self.show:
            wide = max(len(label) for label in self.show)
            blocks.append("\n".join(_shown(label, value, wide) for label, value in self.show.items()))
        if self.cause:
            blocks.append(_wrapped(self.cause))
        return "\n\n".join(blocks)

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
    """Ends a check cell. Its text is the whole message; IPython shows it without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def _line(line: Line) -> str:
    return textwrap.fill(line.title, WIDTH, initial_indent=f"  {line.status:<9} ", subsequent_indent=" " * 12)


def _wrapped(sentences: str) -> str:
    return "\n".join(
        textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="  ")
        for line in sentences.splitlines()
    )


def _shown(label: str, value, wide: int) -> str:
    text = value if isinstance(value, str) else plain(value)
    return textwrap.fill(
        text, WIDTH, initial_indent=f"  {label:<{wide}}  ", subsequent_indent=" " * (wide + 4)
    )


def plain(value) -> str:
    """A value as a person would write it down; a large tensor as its shape and first entries."""
    if isinstance(value, torch.Tensor):
        if value.numel() <= 40:
            return plain(value.int().tolist() if value.dtype is torch.bool else value.tolist())
        first = plain(value.flatten()[:6].tolist()).rstrip("]")
        return f"{' x '.join(map(str, value.shape))}, starting {first}, ...]"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(plain(item) for item in value) + "]"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
