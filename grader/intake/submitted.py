"""The submissions in the course folder, read as bytes; nothing of them runs."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from grader import course
from grader.intake import admit, files, register, teams, times
from grader.intake.register import Handed
from grader.status import Status


@dataclass(frozen=True)
class Submission:
    """The submission of one student; if there is none, `raw` is None and `reason` is a sentence.

    collected: those of the flags that come from `collect`, and can change without another submission. mate:
    the teammate whose work it is, "" if it is the student's own.
    """

    student: str
    lab: str
    digest: str
    raw: bytes | None
    flags: tuple[str, ...] = ()
    status: Status = Status.GRADED
    reason: str = ""
    submitted_at: str = ""
    collected: tuple[str, ...] = ()
    mate: str = ""


def submissions(lab: str, only: Collection[str] = ()) -> list[Submission]:
    """The submissions in submitted/STUDENT/LAB by student; follows no link and runs nothing.

    A student who sent something of which `collect` could take nothing is one of them. only: these students,
    and no other file is read; none for all.
    """
    place = course.folder() / "submitted"
    handed = register.read(place, lab).students
    students = {path.name for path in place.glob("*") if not path.name.startswith(".") and is_students(path)}
    students |= {name for name, one in handed.items() if one.refused}
    if only:
        students &= set(only)
    return [
        submission(name, lab, place / name / lab, handed.get(name, Handed())) for name in sorted(students)
    ]


def is_students(path: Path) -> bool:
    """Whether something in submitted/ is a student's: a folder or a link, and no Thumbs.db."""
    return path.is_dir() or path.is_symlink()


def of(student: str, lab: str, handed: Handed | None = None) -> Submission:
    """The submission of one student. handed: what `collect` found wrong, for a caller that has read it."""
    place = course.folder() / "submitted"
    if handed is None:
        handed = register.read(place, lab).students.get(student, Handed())
    return submission(student, lab, place / student / lab, handed)


def submission(student: str, lab: str, folder: Path, handed: Handed) -> Submission:
    """Read one student's submission as bytes. handed: what `collect` found wrong."""
    chosen = files.choose(folder, lab)
    when, said = submitted_at(folder / "timestamp.txt", handed.time)
    if isinstance(chosen, admit.Refused):
        status, reason = chosen.status, chosen.reason
        if status == Status.NOT_SUBMITTED and handed.refused:
            status, reason = Status.UNREADABLE, handed.refused
        digest = hashlib.sha256(reason.encode()).hexdigest()
        return Submission(student, lab, digest, None, said, status, reason, when, said)
    raw, flags = chosen
    if handed.later:
        said = (*said, f"Another submission was not taken: {handed.later}")
    digest = hashlib.sha256(raw).hexdigest()
    mate = teams.of(student, lab)
    return Submission(
        student, lab, digest, raw, (*said, *flags), submitted_at=when, collected=said, mate=mate
    )


def submitted_at(file: Path, text: str) -> tuple[str, tuple[str, ...]]:
    """The time of a submission as nbgrader reads it, or "" and a flag that says why it is not known.

    file: timestamp.txt, which may be missing. text: a time that `collect` could not read, else "".
    """
    if file.is_file() and not file.is_symlink():
        text = file.read_text(encoding="utf-8-sig", errors="replace")[:100] or "(empty)"
    try:
        return (times.written(times.read(text)) if text else ""), ()
    except times.Unclear as problem:
        return "", (str(problem),)
