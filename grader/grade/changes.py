"""What a mended judge or lab changes: whose points on the same work, and by how much."""

from dataclasses import dataclass

from msgspec.structs import replace

from grader.grade.journal import Record
from grader.status import SCORELESS


@dataclass(frozen=True)
class Change:
    """A student whose points on the same work changed. exercises: points before and now, by name."""

    student: str
    before: float
    now: float
    exercises: dict[str, tuple[float, float]]


def compared(before: Record | None, now: Record) -> Change | None:
    """The change of a record; None for other work than before, equal points, and work without a score."""
    if before is None or before.submission != now.submission or {before.status, now.status} & {*SCORELESS}:
        return None
    names = sorted(before.verdicts.keys() | now.verdicts.keys())
    earned = {
        name: tuple(
            record.verdicts[name].earned if name in record.verdicts else 0.0 for record in (before, now)
        )
        for name in names
    }
    changed = {name: (one, other) for name, (one, other) in earned.items() if round(one - other, 6)}
    return Change(now.student, before.score(), now.score(), changed) if changed else None


def told(now: Record, before: Record | None, why: str) -> Record:
    """The record with a sentence for the student, where points changed. why: its beginning, "" for none."""
    change = compared(before, now) if why else None
    if change is None:
        return now
    numbers = f"The exercises had {change.before:.4g} points before, and have {change.now:.4g} now."
    return replace(now, why=f"{why} {numbers}")
