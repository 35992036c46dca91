"""The attempts of students at a lab: at most so many, and time between two, so that nobody guesses answers.

The hidden cases are drawn from the course seed and stay the same for all attempts. course/attempts/LAB has a
file for each student, with the time, digest and score of each attempt. It follows from the journal:
whatever a killed process left out is noted by the next one.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from grader import course
from grader.grade.journal import Record
from grader.status import SCORELESS, Status
from labsupport import files


class Attempt(Struct, frozen=True):
    """One graded submission. time: of the grading, UTC in ISO format. submission: SHA-256 of its files."""

    time: str
    submission: str
    status: Status
    score: float
    points: float


class Attempts(Struct):
    """All attempts of a student, the first one first. given: the record whose feedback the student has."""

    attempts: list[Attempt] = []
    given: str = ""


def path(lab: str, student: str) -> Path:
    """The file of a student."""
    return course.folder() / "attempts" / lab / f"{student}.json"


def read(lab: str, student: str) -> Attempts:
    """The attempts of a student; none if the file is missing or damaged."""
    try:
        return msgspec.convert(json.loads(path(lab, student).read_bytes()), Attempts)
    except (OSError, ValueError, msgspec.MsgspecError):
        return Attempts()


def write(lab: str, student: str, held: Attempts) -> None:
    """Store the attempts atomically. Raises OSError."""
    text = json.dumps(msgspec.to_builtins(held), indent=1)
    files.write_whole(path(lab, student), text.encode(), keep=True)


def noted(record: Record) -> Attempts:
    """The student's attempts with this record among them. Raises OSError.

    The same work graded again, and work of which nothing was judged, is no attempt.
    """
    held = read(record.lab, record.student)
    last = held.attempts[-1].submission if held.attempts else ""
    if record.status not in SCORELESS and record.submission != last:
        attempt = Attempt(record.graded_at, record.submission, record.status, record.score(), record.points())
        held.attempts.append(attempt)
        write(record.lab, record.student, held)
    return held


def version(record: Record) -> str:
    """What distinguishes a record whose feedback is given from one that is renewed."""
    return f"{record.submission} {record.graded_at} {record.submitted_at}"


def next_time(held: Attempts, cool_down: timedelta) -> datetime:
    """The time from which on the next attempt is graded."""
    return after(held.attempts[-1].time, cool_down) if held.attempts else datetime.min.replace(tzinfo=UTC)


def after(time: str, cool_down: timedelta) -> datetime:
    """A time in ISO format and a cool-down later; at once where the clock was set back behind that time."""
    then = datetime.fromisoformat(time)
    return then + cool_down if then <= datetime.now(UTC) else datetime.min.replace(tzinfo=UTC)
