"""What `regrade` says: whose points change and by how much, what a person's points hide, who needs a look."""

from grader.author.source import CHECK
from grader.grade.changes import Change
from grader.grade.journal import Record
from grader.results.table import ByHand, points
from grader.status import SCORELESS, Status


def lines(
    records: list[Record], changes: list[Change], known: dict[str, Record], by_hand: dict[str, ByHand]
) -> tuple[list[str], bool]:
    """A line for each student who changes or needs a look, and whether one needs a look.

    records: of the class, graded again. known: those of before. by_hand: people's points. Both by student.
    """
    said = [changed(change, by_hand.get(change.student, ByHand())) for change in changes]
    same = {change.student for change in changes}
    said += [line for record in records if record.student not in same and (line := other(record, known))]
    look = [
        f"{record.student}: {record.status}: {record.reason}" for record in records if worse(record, known)
    ]
    there = {record.student for record in records}
    look += [
        f"{record.student}: not graded again, because its submission is not in the course folder any more: "
        "collect it once more"
        for record in known.values()
        if record.student not in there and record.verdicts
    ]
    return [f"  {line}" for line in (*said, *look)], bool(look)


def changed(change: Change, by_hand: ByHand) -> str:
    """The points of a student on the same work, before and now."""
    each = []
    for name, (before, now) in change.exercises.items():
        stands = by_hand.scores.get(f"{CHECK}{name}")
        kept = "" if stands is None else f"; {points(stands)} by hand stands"
        each.append(f"{name} {judged(before)} -> {judged(now)}{kept}")
    if any(None in pair for pair in change.exercises.values()):  # a sum would be of the others alone
        return f"{change.student}: {', '.join(each)}"
    return f"{change.student}: {points(change.before)} -> {points(change.now)} points ({', '.join(each)})"


def judged(value: float | None) -> str:
    """Points, or that there are none."""
    return "not judged" if value is None else points(value)


def other(record: Record, known: dict[str, Record]) -> str:
    """What is new besides changes of the same work; "" for nothing."""
    before, now = known.get(record.student), f"{points(record.score())} points"
    if record.status != Status.GRADED:  # what else it is stands below
        return ""
    if before is None:
        return f"{record.student}: not graded before: {now}"
    if before.submission != record.submission:
        return f"{record.student}: other work than before: {scored(before)} -> {now}"
    return "" if before.status not in SCORELESS else f"{record.student}: {before.status} -> {now}"


def scored(record: Record) -> str:
    """The points of a record, or its status where it has none."""
    return str(record.status) if record.status in SCORELESS else points(record.score())


def worse(record: Record, known: dict[str, Record]) -> bool:
    """Whether a submission ended otherwise than graded, and did not so before or by the grader's fault."""
    before = known.get(record.student)
    fault = record.status in (Status.GRADER_ERROR, Status.PARTLY_GRADED, Status.SET_ASIDE)
    return record.status != Status.GRADED and (fault or before is None or before.status != record.status)
