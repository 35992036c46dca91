"""A whole class: what is not settled yet is graded, journalled one by one, and handed to nbgrader."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from grader import course, intake, journal
from grader.grading import Submission, Task, continued, grade
from grader.journal import NOT_SUBMITTED, UNREADABLE, Record
from grader.sandbox import DEFAULTS, Limits
from labsupport.progress import bar
from labsupport.settings import LabError


def grade_class(
    lab: str,
    student: str | None = None,
    workers: int = 1,
    limits: Limits = DEFAULTS,
    isolation: str = "bwrap",
    cold: bool = False,
) -> list[Record]:
    """Grade every submission of a lab that is not settled; the records of all, old and new, by student.

    Each record is written before the next is awaited, so a killed run goes on where it stopped.
    """
    release = course.folder() / "release" / lab / f"{lab}.ipynb"
    if not release.exists():
        raise LabError(
            f"There is no release of {lab} in {course.folder()}: run `python -m grader release {lab}` first."
        )
    version = journal.version(lab)
    found = [s for s in submissions(lab) if student in (None, s.student)]
    if not found:
        whose = f"of {student} " if student else ""
        raise LabError(f"There is no submission {whose}for {lab} in {course.folder() / 'submitted'}.")
    before = {each.student: journal.read(lab, each.student) for each in found}
    todo = [
        Task(each, release.read_text("utf-8"), course.seed(), version, limits, isolation, cold)
        for each in found
        if not journal.settled(before[each.student], each.digest, version)
    ]
    with bar(total=len(todo), what=f"grading {lab}") as progress:
        for record in finished(todo, workers):
            journal.write(continued(record, before[record.student]))
            progress.update()
            progress.set_postfix_str(f"{record.student} {record.status}")
    return [journal.read(lab, each.student) for each in found]


def finished(tasks: list[Task], workers: int) -> Iterator[Record]:
    """The records as they come, at most `workers` at a time."""
    if workers == 1:
        yield from map(grade, tasks)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        pending = {executor.submit(grade, task) for task in tasks}
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as fault:
            raise LabError(
                "A grading process was killed from outside, perhaps for want of memory. "
                "All finished records are kept; run the same command again, with fewer workers."
            ) from fault
        finally:
            for future in pending:
                future.cancel()


def submissions(lab: str) -> list[Submission]:
    """What lies in submitted/STUDENT/LAB of the course folder, by student; nothing is followed or run."""
    folders = sorted(
        path for path in (course.folder() / "submitted").glob("*") if not path.name.startswith(".")
    )
    return [submission(folder.name, lab, folder / lab) for folder in folders]


def submission(student: str, lab: str, folder: Path) -> Submission:
    """One student's submission, as bytes."""
    chosen = intake.choose(folder, lab)
    time = folder / "timestamp.txt"
    when = time.read_text(errors="replace").strip()[:60] if time.is_file() and not time.is_symlink() else ""
    if isinstance(chosen, intake.Refused):
        status = chosen.status if chosen.status in (UNREADABLE, NOT_SUBMITTED) else UNREADABLE
        digest = hashlib.sha256(chosen.reason.encode()).hexdigest()
        return Submission(student, lab, digest, None, (), status, chosen.reason, when)
    raw, flags = chosen
    return Submission(student, lab, hashlib.sha256(raw).hexdigest(), raw, flags, submitted_at=when)
