"""Grades a class again after a mended judge or lab: who changed, by how much, and a sentence to them."""

from dataclasses import dataclass

from msgspec.structs import replace

from grader.grade import journal
from grader.grade.class_run import grade_class
from grader.grade.journal import Record
from grader.status import SCORELESS


@dataclass(frozen=True)
class Change:
    """A student whose points on the same work changed. exercises: points before and now, by name."""

    student: str
    before: float
    now: float
    exercises: dict[str, tuple[float, float]]


def regrade(lab: str, workers: int | None, why: str, dry: bool) -> tuple[list[Record], list[Change]]:
    """The records of the class, and the changes.

    workers: as in grade_class. why: a sentence for the feedback of those who changed, "" for none. dry:
    whether to write nothing.
    """
    known = {record.student: record for record in journal.records(lab)}
    records, changes = grade_class(lab, workers=workers, dry=dry), []
    for place, record in enumerate(records):
        change = compared(known.get(record.student), record)
        if change:
            changes.append(change)
        if change and why and not dry:
            said = (
                f"{why} The exercises had {change.before:.4g} points before, and have {change.now:.4g} now."
            )
            records[place] = replace(record, why=said)
            journal.write(records[place])
    return records, changes


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
