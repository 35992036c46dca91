"""Reads from the path of a file who sent it: the names that platforms and nbgrader's exchange give.

folders.py has the platforms that give each student a folder; tests/intake/test_downloads.py shows a name of
each.

Only the part of a path counts that the student cannot choose. Positions are those of the name itself: a
name in other case can have another length (ß and ss, İ and i̇).
"""

import re
from dataclasses import dataclass, field
from datetime import datetime

from grader import course
from grader.intake import archive, folders
from grader.intake.files import by_number, is_copy

INBOUND = re.compile(  # the time may end in an offset with a plus sign; what follows is a random string
    r"(?P<name>[^+]+)\+(?P<lab>[^+]+)"
    r"\+(?P<time>[^+]+(?:\+[0-9]{1,2}(?:[:._]?[0-9]{2})?(?![^+]))?)(\+[^+]*)?"
)
MOODLE = re.compile(r"(?P<name>.+?)(_(?P<number>[0-9]+))?_assignsubmission_[a-z]+_?(?P<file>.*)", re.DOTALL)
ANONYMOUS = re.compile(  # of Canvas; the number is the attachment's
    r"(?P<late>LATE_)?(?P<name>anon_[A-Za-z0-9]+)_((?P<attempt>[0-9]+)_)?(?P<file>.+)", re.DOTALL
)
FLAT = re.compile(
    r"(?P<name>.*?)_(?P<late>LATE_)?(?P<number>[0-9]{2,}|[0-9](?=_[0-9]))_((?P<attempt>[0-9]+)_)?", re.DOTALL
)
BLACKBOARD = re.compile(
    r"(?P<number>.+?)_attempt_(?P<attempt>[0-9]{4}(?:-[0-9]{2}){5})_?(?P<file>.*)", re.DOTALL
)
OF = "copy of|kopie v[ao]n|copie de|copia d[ei]|c(ó|ò|o[\u0300\u0301])pia de|kopia av|kopi a[fv]|копия"
COPY = re.compile(rf"(?<= - )(({OF}) )+$", re.IGNORECASE)  # of Google, which names a copy in one's language
PLAIN = re.compile(r"(?P<name>.+?)(_(?P<number>[A-Za-z0-9-]+))?[_ -]*", re.DOTALL)
UNKNOWN = "unknown"  # the platform of what a person has to assign


@dataclass
class Submission:
    """The files of one submission, and the data of the download about them."""

    origin: str  # the first part of the path of the files
    name: str
    number: str = ""
    platform: str = ""  # moodle, canvas, one of folders.py or the like; "" for nbgrader's exchange
    stamp: str = ""  # the time as the download says it
    time: datetime | None = None  # UTC
    local: datetime = datetime.min  # the time of day of a stamp whose zone is unclear
    late: bool = False
    attempt: int = 0
    files: dict[str, archive.Entry] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # sentences on its time
    unclear: bool = False  # whether it has a stamp, and its time is not known

    def rank(self) -> tuple:
        """The sort key: earlier submissions come first."""
        return self.time or self.local, self.attempt, by_number(self.origin)


def sender(parts: tuple[str, ...], lab: str) -> tuple[Submission, str] | None:
    """The submission and name of a file, from the part of its path that the student cannot choose."""
    first, rest = parts[0], "/".join(parts[1:])
    if match := MOODLE.fullmatch(first):
        return Submission(first, match["name"], match["number"] or "", "moodle"), rest or match["file"]
    if found := sender_of_folder("/".join(parts)):
        return found
    if not rest and (match := BLACKBOARD.fullmatch(first)):
        attempt = int(match["attempt"].replace("-", ""))
        file = match["file"].removeprefix(".txt")  # its own, beside each attempt
        origin = first.removesuffix(match["file"]).rstrip("_")
        return Submission(origin, "", match["number"], "blackboard", attempt=attempt), file
    if not rest:
        return sender_of_file(first, lab)
    match = INBOUND.fullmatch(first)
    if match and match["lab"] == lab:
        return Submission(first, match["name"], stamp=match["time"]), rest
    if len(parts) > 2 and parts[1] == lab and not match:
        return Submission(first, first), "/".join(parts[2:])
    return None


def sender_of_folder(path: str) -> tuple[Submission, str] | None:
    """The submission and name of a file in what a platform has for a student."""
    found = None if INBOUND.match(path) else folders.parsed(path)
    if not found:
        return None
    origin = path.removesuffix(found.file).rstrip("/").removesuffix(" - ")
    return Submission(origin, found.name, found.number, found.platform, attempt=found.attempt), found.file


def sender_of_file(name: str, lab: str) -> tuple[Submission, str] | None:
    """The submission and name of a single file, from the text before the lab's name or its numbers."""
    if match := ANONYMOUS.fullmatch(name):
        attempt, late = int(match["attempt"] or 0), bool(match["late"])
        return Submission(name, match["name"], "", "anonymous", late=late, attempt=attempt), match["file"]
    labs = re.search(re.escape(lab), name, re.IGNORECASE)
    front = COPY.sub("", name[: labs.start()]) if labs else name
    match = FLAT.match(front) or (PLAIN.fullmatch(front) if labs else None)
    if not match:
        return None
    said = match.groupdict()
    submission = Submission(
        name, match["name"], match["number"] or "", "canvas", late=bool(said.get("late")),
        attempt=int(said.get("attempt") or 0),
    )  # fmt: skip
    return submission, name[labs.start() if labs else match.end() :]


def of_other_lab(parts: tuple[str, ...], lab: str) -> bool:
    """Whether the file is of another lab, or was not handed in, and needs no report."""
    if parts[0] == "Working files":  # of Teams: not handed in
        return True
    inbound = INBOUND.fullmatch(parts[0])
    named = inbound["lab"] if inbound else parts[1] if len(parts) > 2 else lab
    return named != lab and bool(re.fullmatch(r"[0-9]{2}_\w+", named))


def for_other_lab(submission: Submission, lab: str) -> bool:
    """Whether it holds another lab's notebook alone: Teams has all assignments in one place."""
    names = [name for name in submission.files if submission.platform == "teams"]
    others = [each for each in course.labs() if each != lab]
    return any(is_copy(name, each) for name in names for each in others) and not any(
        is_copy(name, lab) for name in names
    )
