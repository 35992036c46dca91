"""One record per submission: written whole or not at all, so that a killed run resumes where it was."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from grader import course
from labsupport.settings import LabError

GRADED, UNREADABLE, NOT_SUBMITTED = "GRADED", "UNREADABLE", "NOT_SUBMITTED"
GRADER_ERROR = "GRADER_ERROR"
ENDED_OTHERWISE = ("TIMEOUT", "OUT_OF_MEMORY", "KERNEL_DIED", "OUTPUT_LIMIT")
STATUSES = (GRADED, *ENDED_OTHERWISE, UNREADABLE, NOT_SUBMITTED, GRADER_ERROR)


@dataclass
class Record:
    """What became of one submission.

    submission: SHA-256 of the files that were taken, "" when there were none. version: of the course it
    was graded with. phases: seconds of intake, start, code (the student's) and judging. shared: the
    perplexities of masks that the examiner answered, each with the masks' key and whether it was
    "measured" for this submission or "known" from an earlier one. verdicts: by exercise, each with
    status, share (0 to 1), passed, total, points, message and the submission it is from. notebook: the
    executed one, made inert; "" when there is none. earlier: the records of earlier submissions of the
    same student, without their notebooks.
    """

    student: str
    lab: str
    submission: str
    version: str
    status: str
    reason: str = ""
    cell: str = ""
    submitted_at: str = ""
    graded_at: str = ""
    seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    unenforced: list[str] = field(default_factory=list)
    shared: list[dict] = field(default_factory=list)
    verdicts: dict[str, dict] = field(default_factory=dict)
    notebook: str = ""
    earlier: list[dict] = field(default_factory=list)

    def score(self) -> float:
        """Points given by the examiner; written answers are graded by hand and not in here."""
        return sum(verdict["share"] * verdict["points"] for verdict in self.verdicts.values())

    def points(self) -> float:
        """Points that the examiner could have given."""
        return sum(verdict["points"] for verdict in self.verdicts.values())


def folder(lab: str) -> Path:
    """Where the records of a lab are."""
    return course.folder() / "journal" / lab


def write(record: Record) -> None:
    """Keep a record. Raises LabError when the disk does not take it; the old record then still stands."""
    path = folder(record.lab) / f"{record.student}.json"
    draft = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w") as file:
            json.dump(asdict(record), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as problem:
        raise LabError(
            f"The record of {record.student} cannot be written to {path.parent}: {problem.strerror}. "
            "All records before it are kept; make room there and run the same command again."
        ) from problem
    finally:
        draft.unlink(missing_ok=True)


def read(lab: str, student: str) -> Record | None:
    """The record of a student, or None where there is none, or only the remains of one."""
    try:
        return Record(**json.loads((folder(lab) / f"{student}.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def records(lab: str) -> list[Record]:
    """Every record of a lab, by student."""
    students = sorted(path.stem for path in folder(lab).glob("*.json"))
    return [record for student in students if (record := read(lab, student))]


def version(lab: str) -> str:
    """What a verdict depends on besides the submission: the lab's source, the checks and the course seed."""
    from labsupport import check, settings

    digest = hashlib.sha256(f"{course.seed()} {settings.current()} {settings.device().type}".encode())
    for path in [course.source(lab), *sorted(Path(check.__file__).parent.glob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def settled(record: Record | None, submission: str, version: str) -> bool:
    """Whether there is nothing left to do: this very submission was graded with this very course."""
    return (
        record is not None
        and record.status != GRADER_ERROR
        and (record.submission, record.version) == (submission, version)
    )
