"""The journal: one record per submission, written atomically, so that a killed run can resume."""

import json
from collections.abc import Collection
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from grader import course
from grader.grade.stops import Stop
from grader.status import ENDED_EARLY, Status
from labsupport.check.judge.kit.verdict import Ending, Verdict
from labsupport.errors import LabError
from labsupport.files import write_whole


class Judged(Verdict, frozen=True, kw_only=True):
    """A verdict in a record, with the points of the exercise and the digest of the judged submission.

    stop: the cell that kept the check from its function, if one did.
    """

    points: float
    submission: str
    stop: Stop | None = None

    @property
    def earned(self) -> float:
        """The earned points."""
        return self.share * self.points

    def message(self) -> str:
        return Verdict.message(self._told())

    def headline(self) -> str:
        return Verdict.headline(self._told())

    def _told(self) -> "Judged":
        """The verdict with the sentence on its stop as the last line of its cause."""
        lines = [self.cause, self.stop.sentence() if self.stop else ""]
        return replace(self, cause="\n".join(filter(None, lines)))


class Measured(Struct, frozen=True):
    """A perplexity sent by the examiner. how: "measured" for this submission, or "known" before."""

    masks: str  # the key of the masks in the memo
    perplexity: float
    how: str


class Earlier(Struct, frozen=True):
    """A summary of an earlier submission of the same student."""

    submission: str
    status: Status
    graded_at: str
    submitted_at: str
    score: float
    points: float


class Record(Struct):
    """The result of one submission.

    submission: SHA-256 of the accepted files, "" if there are none. version: the course version it was
    graded with. strained: the exercise that a GPU failed in, and its error. phases: seconds of intake,
    start, code (the student's) and judging. shared: the perplexities of masks sent by the examiner.
    collected: those of the flags that `collect` said. verdicts: by exercise. notebook: the executed one,
    sanitized; "" if there is none. why: a sentence for the student on why the grade changed without new work.
    """

    student: str
    lab: str
    submission: str
    version: str
    status: Status
    reason: str = ""
    cell: str = ""
    strained: str = ""
    submitted_at: str = ""
    graded_at: str = ""
    seconds: float = 0.0
    phases: dict[str, float] = {}
    flags: list[str] = []
    collected: list[str] = []
    unenforced: list[str] = []
    shared: list[Measured] = []
    verdicts: dict[str, Judged] = {}
    notebook: str = ""
    why: str = ""
    earlier: list[Earlier] = []

    def score(self) -> float:
        """Points by the examiner, without written answers, which are graded by hand."""
        return sum(verdict.earned for verdict in self.verdicts.values())

    def points(self) -> float:
        """The maximum of points by the examiner."""
        return sum(verdict.points for verdict in self.verdicts.values())


def folder(lab: str) -> Path:
    """The folder of the records of a lab."""
    return course.folder() / "journal" / lab


def write(record: Record) -> None:
    """Store a record. Raises LabError when writing fails; then the old record is unchanged."""
    path = folder(record.lab) / f"{record.student}.json"
    try:
        write_whole(path, json.dumps(msgspec.to_builtins(record)).encode(), keep=True)
    except OSError as problem:
        raise LabError(
            f"The record of {record.student} cannot be written to {path.parent}: {problem.strerror}. "
            "All records before it are kept; free some space there and run the same command again."
        ) from problem


def read(lab: str, student: str) -> Record | None:
    """The record of a student; None if it is missing or damaged."""
    try:
        return msgspec.convert(json.loads((folder(lab) / f"{student}.json").read_text()), Record)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None


def records(lab: str, notebooks: bool = True, only: Collection[str] = ()) -> list[Record]:
    """Every record of a lab, by student.

    only: these students, and no other file is read; none for all. notebooks: whether to keep the executed
    notebooks, which take far more memory than all else; without them those of students who have a place in a
    table stay, because they hold their pseudonyms.
    """
    students = sorted(only or (path.stem for path in folder(lab).glob("*.json")))
    found = (record for student in students if (record := read(lab, student)))
    return [record if notebooks or _placed(record) else replace(record, notebook="") for record in found]


def _placed(record: Record) -> bool:
    return any(verdict.place for verdict in record.verdicts.values())


def mark(lab: str, student: str, submission: str) -> None:
    """Note that this process grades a submission now; `unmark` is its end. Raises LabError."""
    try:
        write_whole(_mark(lab, student), submission.encode())
    except OSError as problem:
        raise LabError(f"{folder(lab)} cannot be written: {problem.strerror}.") from problem


def unmark(lab: str, student: str) -> None:
    """Note that no process grades a submission any more."""
    _mark(lab, student).unlink(missing_ok=True)


def marked(lab: str, student: str, submission: str) -> bool:
    """Whether a process that graded this submission ended before its grading did."""
    try:
        return _mark(lab, student).read_text() == submission
    except (OSError, ValueError):
        return False


def _mark(lab: str, student: str) -> Path:
    return folder(lab) / f"{student}.underway"


def unjudged(verdict: Verdict, status: Status) -> bool:
    """Whether a verdict in a submission of this status says nothing on the function."""
    return verdict.status == Ending.FAULT or (verdict.status == Ending.UNASKED and status in ENDED_EARLY)


def settled(record: Record | None, submission: str, version: str) -> bool:
    """Whether the record is for this submission and this course version, so that nothing is left to do."""
    return (
        record is not None
        and record.status != Status.GRADER_ERROR
        and all(verdict.status != Ending.FAULT for verdict in record.verdicts.values())
        and (record.submission, record.version) == (submission, version)
    )
