"""What a mended judge or lab changes: whose points on the same work, and by how much."""

from dataclasses import dataclass

from msgspec.structs import replace

from grader.grade.journal import Record, unjudged
from grader.status import SCORELESS


@dataclass(frozen=True)
class Change:
    """A student whose points on the same work changed.

    exercises: points before and now, by name; None where nothing was judged.
    """

    student: str
    before: float
    now: float
    exercises: dict[str, tuple[float | None, float | None]]


def compared(before: Record | None, now: Record) -> Change | None:
    """The change of a record; None for other work than before, equal points, and work without a score."""
    if before is None or before.submission != now.submission or {before.status, now.status} & {*SCORELESS}:
        return None
    names = sorted(before.verdicts.keys() | now.verdicts.keys())
    earned = {name: (_earned(before, name), _earned(now, name)) for name in names}
    changed = {name: pair for name, pair in earned.items() if _differ(*pair)}
    return Change(now.student, before.score(), now.score(), changed) if changed else None


def told(now: Record, before: Record | None, why: str) -> Record:
    """The record with a sentence for the student, where points changed. why: its beginning, "" for none.

    An earlier sentence has numbers that are not true any more, and goes. Where a judge failed nobody is told
    a number: the next run, of the mended judge, tells.
    """
    change = compared(before, now)
    if change is None:
        return now
    if not why or any(one is None for _, one in change.exercises.values()):
        return replace(now, why="")
    numbers = (
        f"The judge gave the exercises {change.before:.4g} points before, and gives {change.now:.4g} now."
    )
    if any(one is None for one, _ in change.exercises.values()):
        numbers = f"The judge gives the exercises {change.now:.4g} points now."
    return replace(now, why=f"{why} {numbers}")


def _earned(record: Record, name: str) -> float | None:
    """The points of an exercise; 0 where the record does not have it, None where it was not judged."""
    verdict = record.verdicts.get(name)
    if verdict is None:
        return 0.0
    return None if unjudged(verdict, record.status) else verdict.earned


def _differ(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is not other
    return round(one - other, 6) != 0
