"""The report's data on a student: row of the table, record, and result of each exercise."""

from dataclasses import dataclass
from enum import StrEnum

from grader.grade.journal import Judged, Record, unjudged
from grader.results.table import Row
from grader.status import Status
from labsupport.check.judge.kit.verdict import Ending


class Kind(StrEnum):
    """The result of an exercise. The value is also the pattern of its bar in templates/report.html."""

    RIGHT = "right"
    PARTLY = "partly"
    WRONG = "wrong"
    UNWRITTEN = "unwritten"
    GIVEN = "given"
    OPEN = "open"
    FAULT = "fault"


KINDS = {
    Kind.RIGHT: "all right",
    Kind.PARTLY: "partly right",
    Kind.WRONG: "not yet",
    Kind.UNWRITTEN: "not written",
    Kind.GIVEN: "given: 0 points",
    Kind.OPEN: "not reached",
    Kind.FAULT: "the check failed, not the student",
}


@dataclass(frozen=True)
class Person:
    """A student of the course; record: None if nothing was graded.

    anchor: of the student's section on the page. feedback: the address of the feedback page, "" if there is
    none. alone: the limits that were not enforced for this student, but for others. name: from the roster,
    "" without one.
    """

    anchor: str
    row: Row
    record: Record | None
    feedback: str
    alone: list[str]
    name: str = ""

    @property
    def status(self) -> Status:
        """The status of the submission."""
        return self.row.status

    @property
    def flags(self) -> list[str]:
        """Sentences on peculiarities of the submission."""
        return self.record.flags if self.record else []

    @property
    def unenforced(self) -> list[str]:
        """Sentences on limits that were not enforced during the run."""
        return self.record.unenforced if self.record else []

    @property
    def verdicts(self) -> dict[str, Judged]:
        """The verdicts by exercise."""
        return self.record.verdicts if self.record else {}

    def kind(self, exercise: str) -> Kind | None:
        """The result of an exercise; None without a verdict on it."""
        verdict = self.verdicts.get(exercise)
        return kind(self.status, verdict) if verdict else None

    @property
    def nothing(self) -> bool:
        """Whether the submission ran to its end and no exercise earned a point."""
        kinds = {self.kind(name) for name, verdict in self.verdicts.items() if verdict.points}
        return self.status == Status.GRADED and bool(kinds) and not kinds & {Kind.RIGHT, Kind.PARTLY}

    @property
    def needs_a_look(self) -> bool:
        """Whether an instructor should look at the submission."""
        return (
            self.status not in (Status.GRADED, Status.EXEMPT)
            or bool(self.flags or self.alone or self.row.notes)
            or self.nothing
        )


def kind(status: Status, verdict: Judged) -> Kind:
    """The result of an exercise in a submission with this status."""
    if verdict.status == Ending.RIGHT or verdict.share == 1:
        return Kind.RIGHT
    if verdict.status == Ending.UNWRITTEN:
        return Kind.UNWRITTEN
    if verdict.status == Ending.GIVEN:
        return Kind.GIVEN
    if unjudged(verdict, status):
        return Kind.FAULT if verdict.status == Ending.FAULT else Kind.OPEN
    return Kind.PARTLY if verdict.share > 0 else Kind.WRONG
