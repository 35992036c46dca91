"""One record per submission: written whole or not at all, so that a killed run resumes where it was."""

import json
from pathlib import Path

import msgspec
from msgspec import Struct

from grader import course
from grader.status import Status
from labsupport.check.judge.kit.verdict import Verdict
from labsupport.errors import LabError
from labsupport.files import write_whole


class Judged(Verdict, frozen=True, kw_only=True):
    """A verdict in a record: how many points the exercise has, and which submission was judged."""

    points: float
    submission: str

    @property
    def earned(self) -> float:
        """The points that it earns."""
        return self.share * self.points


class Measured(Struct, frozen=True):
    """A perplexity that the examiner answered. how: "measured" for this submission, or "known" before."""

    masks: str  # their key in the memo
    perplexity: float
    how: str


class Earlier(Struct, frozen=True):
    """What a record keeps of an earlier submission of the same student."""

    submission: str
    status: Status
    graded_at: str
    submitted_at: str
    score: float
    points: float


class Record(Struct):
    """What became of one submission.

    submission: SHA-256 of the files that were taken, "" when there were none. version: of the course it
    was graded with. phases: seconds of intake, start, code (the student's) and judging. shared: the
    perplexities of masks that the examiner answered. verdicts: by exercise. notebook: the executed one,
    made inert; "" when there is none.
    """

    student: str
    lab: str
    submission: str
    version: str
    status: Status
    reason: str = ""
    cell: str = ""
    submitted_at: str = ""
    graded_at: str = ""
    seconds: float = 0.0
    phases: dict[str, float] = {}
    flags: list[str] = []
    unenforced: list[str] = []
    shared: list[Measured] = []
    verdicts: dict[str, Judged] = {}
    notebook: str = ""
    earlier: list[Earlier] = []

    def score(self) -> float:
        """Points given by the examiner; written answers are graded by hand and not in here."""
        return sum(verdict.earned for verdict in self.verdicts.values())

    def points(self) -> float:
        """Points that the examiner could have given."""
        return sum(verdict.points for verdict in self.verdicts.values())


def folder(lab: str) -> Path:
    """Where the records of a lab are."""
    return course.folder() / "journal" / lab


def write(record: Record) -> None:
    """Keep a record. Raises LabError when the disk does not take it; the old record then still stands."""
    path = folder(record.lab) / f"{record.student}.json"
    try:
        write_whole(path, json.dumps(msgspec.to_builtins(record)).encode(), keep=True)
    except OSError as problem:
        raise LabError(
            f"The record of {record.student} cannot be written to {path.parent}: {problem.strerror}. "
            "All records before it are kept; make room there and run the same command again."
        ) from problem


def read(lab: str, student: str) -> Record | None:
    """The record of a student, or None where there is none, or only the remains of one."""
    try:
        return msgspec.convert(json.loads((folder(lab) / f"{student}.json").read_text()), Record)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None


def records(lab: str) -> list[Record]:
    """Every record of a lab, by student."""
    students = sorted(path.stem for path in folder(lab).glob("*.json"))
    return [record for student in students if (record := read(lab, student))]


def settled(record: Record | None, submission: str, version: str) -> bool:
    """Whether there is nothing left to do: this very submission was graded with this very course."""
    return (
        record is not None
        and record.status != Status.GRADER_ERROR
        and (record.submission, record.version) == (submission, version)
    )
