"""Collects submissions into the course folder, from nbgrader's exchange or a platform's download.

Every file is listed with its outcome. Students are identified by the folder of the exchange or by the
roster, never guessed. submitted/STUDENT/LAB/ receives the notebook under the name that nbgrader expects,
timestamp.txt if the time is known, and .late if a platform marks a submission as late without a time.
The folder is replaced atomically.
"""

import re
import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from nbgrader.utils import parse_utc

from grader.intake import archive, roster
from grader.intake.files import HARMLESS, by_number, is_copy, listed, pick
from grader.intake.parse import Unreadable, shown
from labsupport.errors import LabError

COLLECTED, UNCHANGED, OLDER = "collected", "unchanged", "older"
REFUSED, UNMATCHED, NOTHING = "refused", "unmatched", "nothing"

INBOUND = re.compile(r"(?P<name>[^+]+)\+(?P<lab>[^+]+)\+(?P<time>[^+]+)(\+[^+]*)?")
MOODLE = re.compile(r"(?P<name>.+?)_(?P<number>[0-9]+)_assignsubmission_[a-z]+_?(?P<file>.*)")
FLAT = re.compile(r"(?P<name>.+?)_(?P<late>LATE_)?(?P<number>[0-9]{2,})_((?P<attempt>[0-9]{2,})_)?")
PLAIN = re.compile(r"(?P<name>.+?)(_(?P<number>[A-Za-z0-9-]+))?[_ -]*")
TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}(?:\.[0-9]+)?)(?: ([+-][0-9]{4})| [A-Za-z0-9/_+-]+)?"
)
ALLOWED = "letters, digits, '.', '_' and '-' are allowed, and no '.' in front"
LATE = ".late"  # beside a notebook that a platform marks as late without a time
NOBODY = "The name tells neither student nor platform."
STUDENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Arrival:
    """The outcome of one submission: `student` if known, and sentences for the instructor."""

    origin: str
    student: str | None
    outcome: str  # collected, unchanged, older, refused, unmatched or nothing
    notes: tuple[str, ...] = ()


@dataclass
class Submission:
    """The files of one submission, and the data of the download about them."""

    origin: str  # the first part of the path of the files
    name: str
    number: str = ""
    platform: str = ""  # moodle, canvas, or "" for nbgrader's exchange
    time: datetime | None = None  # UTC
    late: bool = False
    attempt: int = 0
    files: dict[str, archive.Entry] = field(default_factory=dict)

    def rank(self) -> tuple:
        """The sort key: earlier submissions come first."""
        return self.time or datetime.min, self.attempt, by_number(self.origin)


def collect(lab: str, source: Path, course_submitted: Path, roster_file: Path | None = None) -> list[Arrival]:
    """Put the latest notebook of every student into `course_submitted`; the outcome of each submission.

    Raises LabError, and changes nothing, when the source, the archive or the roster cannot be read or the
    course folder cannot be written.
    """
    people = roster.read(roster_file) if roster_file else None
    with archive.opened(source) as entries:
        submissions, arrivals = sorted_out(entries, lab)
        students = defaultdict(list)
        for submission in submissions:
            student, why = identified(submission, people)
            if student:
                students[student].append(submission)
            else:
                arrivals.append(Arrival(shown(submission.origin, 120), None, UNMATCHED, (f"{why}.",)))
        try:
            course_submitted.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".collect-", dir=course_submitted) as draft:
                for student, sent in sorted(students.items()):
                    arrivals += drafted(student, sent, lab, Path(draft), course_submitted)
                for folder in sorted(Path(draft, "new").glob("*")):
                    put(course_submitted / folder.name / lab, folder, Path(draft, "old"))
        except OSError as problem:
            raise LabError(f"Cannot write {course_submitted}: {problem.strerror or problem}.") from problem
    return sorted(arrivals, key=lambda arrival: (arrival.student or "", arrival.origin))


# Identifying students


def sorted_out(entries: list[archive.Entry], lab: str) -> tuple[list[Submission], list[Arrival]]:
    """Group files into submissions by the first part of the path; also list the unmatched files."""
    straight = [entry for entry in entries if not entry.stray]
    if len({entry.parts[0] for entry in straight}) == 1 and not any(sender(e.parts, lab) for e in straight):
        straight = [
            replace(entry, parts=entry.parts[1:]) for entry in straight if len(entry.parts) > 1
        ] or straight
    strangers = [
        Arrival(path_of(entry), None, REFUSED, (f"Not read: {entry.stray}.",))
        for entry in entries
        if entry.stray
    ]
    found = {}
    for entry in straight:
        if sent := sender(entry.parts, lab):
            submission, name = sent
            found.setdefault(submission.origin, submission).files[name] = entry
        elif not of_other_lab(entry.parts, lab):
            strangers.append(Arrival(path_of(entry), None, UNMATCHED, (NOBODY,)))
    for submission in found.values():
        if not submission.platform and submission.time is None and "timestamp.txt" in submission.files:
            submission.time = moment(text_of(submission.files["timestamp.txt"]))
    return list(found.values()), strangers


def path_of(entry: archive.Entry) -> str:
    """The path of a file for a message."""
    return shown("/".join(entry.parts), 120)


def sender(parts: tuple[str, ...], lab: str) -> tuple[Submission, str] | None:
    """The submission and name of a file, from the part of its path that the student cannot choose."""
    first, rest = parts[0], "/".join(parts[1:])
    if match := MOODLE.fullmatch(first):
        return Submission(first, match["name"], match["number"], "moodle"), rest or match["file"]
    if not rest:
        return sender_of_file(first, lab)
    match = INBOUND.fullmatch(first)
    if match and match["lab"] == lab:
        return Submission(first, match["name"], time=moment(match["time"])), rest
    if len(parts) > 2 and parts[1] == lab and not match:
        return Submission(first, first), "/".join(parts[2:])
    return None


def sender_of_file(name: str, lab: str) -> tuple[Submission, str] | None:
    """The submission and name of a single file, from the text before the lab's name or its numbers."""
    at = name.casefold().find(lab.casefold())
    front = name[:at] if at >= 0 else name
    match = FLAT.match(front) or (PLAIN.fullmatch(front) if at >= 0 else None)
    if not match:
        return None
    said = match.groupdict()
    submission = Submission(
        name, match["name"], match["number"] or "", "canvas", late=bool(said.get("late")),
        attempt=int(said.get("attempt") or 0),
    )  # fmt: skip
    return submission, name[at if at >= 0 else match.end() :]


def of_other_lab(parts: tuple[str, ...], lab: str) -> bool:
    """Whether the file is in the exchange's folder of another lab, and needs no report."""
    inbound = INBOUND.fullmatch(parts[0])
    named = inbound["lab"] if inbound else parts[1] if len(parts) > 2 else lab
    return named != lab and bool(re.fullmatch(r"[0-9]{2}_\w+", named))


def moment(text: str) -> datetime | None:
    """Parse a time in nbgrader's format to UTC; None for any other text."""
    found = TIME.fullmatch(text.strip())
    try:
        if found and found[2]:  # parse_utc reads +0100 as a hundred seconds
            return datetime.fromisoformat(found[1] + found[2]).astimezone(UTC).replace(tzinfo=None)
        return parse_utc(found[0]) if found else None
    except (ValueError, OverflowError, TypeError):
        return None


def text_of(entry: archive.Entry) -> str:
    """The first 100 bytes of a file as text; "" if it cannot be read."""
    try:
        return entry.read()[:100].decode("utf-8", "replace")
    except Unreadable:
        return ""


def identified(submission: Submission, people: roster.Roster | None) -> tuple[str | None, str]:
    """The student id, or None and the reason."""
    if people:
        student, why = people.find(
            submission.name, submission.number, own_numbers=submission.platform != "moodle"
        )
    elif submission.platform:
        return None, "A platform's download needs a roster, a CSV that maps names to student ids"
    else:
        student, why = submission.name, ""
    if student and not STUDENT.fullmatch(student):
        return None, f"'{shown(student)}' cannot be a student id: {ALLOWED}"
    return student, shown(why, 200)


# Writing the course folder


def drafted(student: str, sent: list[Submission], lab: str, draft: Path, submitted: Path) -> list[Arrival]:
    """Write the latest readable notebook into the draft; the outcome of each submission."""
    arrivals, taken = [], None
    sent = sorted(sent, key=Submission.rank, reverse=True)
    for submission in sent:
        name, notes = pick(sorted(submission.files), lab)
        others = [
            other for other in sorted(submission.files) if other not in HARMLESS and not is_copy(other, lab)
        ]
        if name is None:
            zipped = [other for other in others if re.search(r"\.(zip|gz|tar|7z|rar)$", other.casefold())]
            why = f"An archive inside the download is not opened: {listed(zipped)}." if zipped else \
                f"There is no {lab}.ipynb among what was sent: {listed(others) or 'nothing'}."  # fmt: skip
            arrivals.append(
                Arrival(shown(submission.origin, 120), student, REFUSED if zipped else NOTHING, (why,))
            )
        elif taken:
            arrivals.append(
                Arrival(
                    shown(submission.origin, 120),
                    student,
                    OLDER,
                    (f"A later one was taken: {shown(taken.origin)}.",),
                )
            )
        else:
            try:
                raw = submission.files[name].read()
            except Unreadable as problem:
                arrivals.append(Arrival(shown(submission.origin, 120), student, REFUSED, (str(problem),)))
                continue
            taken = submission
            if others:
                notes = (*notes, f"Not taken along, because only the notebook is graded: {listed(others)}.")
            if submission.late:
                notes = (*notes, "The platform marks it late, and the download does not say when it came.")
            if len(sent) > 1:
                notes = (*notes, f"The latest of {len(sent)} submissions that holds a notebook.")
            outcome, why = compared(submitted / student / lab, lab, raw, submission)
            if outcome == COLLECTED:
                write(draft / "new" / student, lab, raw, submission)
            arrivals.append(Arrival(shown(submission.origin, 120), student, outcome, (*notes, *why)))
    return arrivals


def compared(there: Path, lab: str, raw: bytes, submission: Submission) -> tuple[str, tuple[str, ...]]:
    """Compare a notebook with the stored one: the outcome, and sentences."""
    stamp, notebook, time = there / "timestamp.txt", there / f"{lab}.ipynb", submission.time
    before = moment(stamp.read_text(errors="replace")) if stamp.is_file() else None
    if time and before and before > time:
        return OLDER, (f"The one collected before is later, {before:%Y-%m-%d %H:%M} UTC, and stays.",)
    same_time = (time is None or time == before) and submission.late == (there / LATE).exists()
    if notebook.is_file() and notebook.read_bytes() == raw and same_time:
        return UNCHANGED, ()
    return COLLECTED, (("It takes the place of the one collected before.",) if there.exists() else ())


def write(folder: Path, lab: str, raw: bytes, submission: Submission) -> None:
    """Write a submission in nbgrader's layout, and .late if a platform marks it as late."""
    folder.mkdir(parents=True)
    (folder / f"{lab}.ipynb").write_bytes(raw)
    if submission.time:
        (folder / "timestamp.txt").write_text(f"{submission.time:%Y-%m-%d %H:%M:%S.%f} UTC")
    if submission.late:
        (folder / LATE).touch()


def put(target: Path, new: Path, aside: Path) -> None:
    """Move a finished folder to its place; the old one is removed only after that."""
    target.parent.mkdir(exist_ok=True)
    old = aside / new.name
    if target.exists():
        aside.mkdir(exist_ok=True)
        target.rename(old)
    try:
        new.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
