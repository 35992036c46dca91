"""A student as the report shows them: the row of the table, the record, and how each exercise went."""

from dataclasses import dataclass
from enum import StrEnum

from grader.grade.journal import Judged, Record
from grader.results.table import Row
from grader.status import Status
from labsupport.check.judge.kit.verdict import Ending


class Kind(StrEnum):
    """How an exercise went. The value also names the pattern of its bar in templates/report.html."""

    RIGHT = "right"
    PARTLY = "partly"
    WRONG = "wrong"
    UNWRITTEN = "unwritten"
    OPEN = "open"


KINDS = {
    Kind.RIGHT: "all right",
    Kind.PARTLY: "partly right",
    Kind.WRONG: "not yet",
    Kind.UNWRITTEN: "not written",
    Kind.OPEN: "not reached",
}


@dataclass(frozen=True)
class Person:
    """A student of the course; record: None where nothing was graded.

    anchor: of the student's section on the page. feedback: the address of the feedback page, "" where there
    is none. alone: the limits that did not hold for this student, but for others.
    """

    anchor: str
    row: Row
    record: Record | None
    feedback: str
    alone: list[str]

    @property
    def status(self) -> Status:
        """How the submission ended."""
        return self.row.status

    @property
    def flags(self) -> list[str]:
        """What is strange about the submission, a sentence each."""
        return self.record.flags if self.record else []

    @property
    def unenforced(self) -> list[str]:
        """The limits that did not hold while it ran, a sentence each."""
        return self.record.unenforced if self.record else []

    @property
    def verdicts(self) -> dict[str, Judged]:
        """The verdicts by exercise."""
        return self.record.verdicts if self.record else {}

    def kind(self, exercise: str) -> Kind | None:
        """How an exercise went; None where there is no verdict on it."""
        verdict = self.verdicts.get(exercise)
        return kind(self.status, verdict) if verdict else None

    @property
    def nothing(self) -> bool:
        """Whether the submission ran to its end and no exercise earned a point."""
        kinds = {self.kind(name) for name in self.verdicts}
        return self.status == Status.GRADED and bool(kinds) and not kinds & {Kind.RIGHT, Kind.PARTLY}

    @property
    def needs_a_look(self) -> bool:
        """Whether an instructor should look at the submission."""
        return self.status != Status.GRADED or bool(self.flags or self.alone) or self.nothing


def kind(status: Status, verdict: Judged) -> Kind:
    """How an exercise went, in a submission of that status."""
    if verdict.status == Ending.RIGHT:
        return Kind.RIGHT
    if verdict.status == Ending.UNWRITTEN:
        return Kind.UNWRITTEN
    if verdict.status == Ending.UNASKED and status != Status.GRADED:
        return Kind.OPEN
    return Kind.PARTLY if verdict.share > 0 else Kind.WRONG
