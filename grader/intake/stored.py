"""The folder of a student's work, submitted/STUDENT/LAB: what lies in it, and how it is replaced.

It has the notebook under the name that nbgrader expects, timestamp.txt if the time is known, .late if a
platform marks a submission as late without a time, and the exchange's submission_secret.txt, by which
nbgrader hands the feedback back to who handed in. Where the work is a teammate's (teams.py), .team has the
teammate's id, and .own the student's own work, if there is any. The folder is replaced as a whole.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from grader.intake import times
from grader.intake.files import pick
from grader.intake.parse import Unreadable
from grader.intake.senders import Submission
from labsupport.errors import LabError

COLLECTED, UNCHANGED, OLDER = "collected", "unchanged", "older"
STUDENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
ALLOWED = "letters, digits, '.', '_' and '-' are allowed, and no '.' in front"
SECRET = "submission_secret.txt"
LATE, TEAM, OWN = ".late", ".team", ".own"
DRAFT = ".collect-"  # prefix of the folders in submitted/ in which new ones are made

PATIENCE = 60  # seconds to wait for another `collect`


@contextmanager
def alone(submitted: Path) -> Iterator[None]:
    """A context in which no other `collect` writes into submitted/: another one waits for its end.

    Raises LabError when that takes too long, and OSError.
    """
    lock = FileLock(submitted.parent / ".grading-collect.lock")
    try:
        try:
            lock.acquire(timeout=1)
        except Timeout:
            print("Another `collect` is at work; this one waits for its end.", file=sys.stderr)
            lock.acquire(timeout=PATIENCE)
    except Timeout:
        raise LabError(f"Another `collect` writes into {submitted}: wait until that has ended.") from None
    try:
        yield
    finally:
        lock.release()


def own(folder: Path) -> Path:
    """Where the student's own work is or would be: in the folder, or aside while a teammate's counts."""
    return folder / OWN if (folder / TEAM).exists() else folder


def compared(there: Path, lab: str, raw: bytes, submission: Submission) -> tuple[str, tuple[str, ...]]:
    """Compare a notebook with the stored one: the outcome, and sentences.

    The same work at an earlier time is one whose zone is known by now, and is taken with that time.
    """
    notebook, time = there / f"{lab}.ipynb", submission.time
    before, same_work = time_in(there / "timestamp.txt"), notebook.is_file() and notebook.read_bytes() == raw
    if time and before and before > time and not same_work:
        return OLDER, (f"The one collected before is later, {before:%Y-%m-%d %H:%M} UTC, and stays.",)
    same_time = (time is None or time == before) and submission.late == (there / LATE).exists()
    if same_work and same_time:
        return UNCHANGED, ()
    return COLLECTED, (("It takes the place of the one collected before.",) if there.exists() else ())


def time_in(stamp: Path) -> datetime | None:
    """The time in a timestamp.txt of the course folder; None if there is none."""
    try:
        return times.read(stamp.read_text(errors="replace"))
    except (OSError, times.Unclear):
        return None


def write(folder: Path, lab: str, raw: bytes, submission: Submission) -> None:
    """Write a submission in nbgrader's layout, with the exchange's secret and the platform's mark."""
    folder.mkdir(parents=True)
    (folder / f"{lab}.ipynb").write_bytes(raw)
    if submission.time:
        (folder / "timestamp.txt").write_text(times.written(submission.time))
    if submission.late:
        (folder / LATE).touch()
    if not submission.platform and SECRET in submission.files:
        (folder / SECRET).write_text(submission.files[SECRET].text())


def put(target: Path, new: Path, draft: Path) -> None:
    """Move a finished folder to its place; the old one is removed only after that.

    draft: a folder of ours in submitted/. Killed in the middle, it holds the old folder, which `recover`
    brings back.
    """
    target.parent.mkdir(exist_ok=True)
    old = draft / "old" / target.parent.name / target.name
    try:
        if target.exists():
            old.parent.mkdir(parents=True, exist_ok=True)
            target.rename(old)
        new.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def take_back(target: Path, lab: str, submission: Submission, draft: Path) -> bool:
    """Remove a student's own work if it is this submission, which is another's; whether it was.

    The student's folder stays, so that `grade` says that nothing is there. Raises OSError.
    """
    folder, name = own(target), pick(sorted(submission.files), lab)[0]
    try:
        same = name is not None and (folder / f"{lab}.ipynb").read_bytes() == submission.files[name].read()
    except (OSError, Unreadable):
        return False
    if same:
        (draft / "back").mkdir(exist_ok=True)
        folder.rename(draft / "back" / target.parent.name)
    return same


def recover(submitted: Path) -> None:
    """Bring back what a call that was killed had moved aside, unless newer work took its place.

    Its drafts go. Raises OSError.
    """
    for old in submitted.glob(f"{DRAFT}*/old/*/*"):
        target = submitted / old.parent.name / old.name
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            target.parent.mkdir(exist_ok=True)
            old.rename(target)
    for draft in submitted.glob(f"{DRAFT}*"):
        shutil.rmtree(draft, ignore_errors=True)
