"""Reads from the path of a file who sent it: the names that platforms and nbgrader's exchange give.

FOLDERS is the table of the platforms whose downloads have folders; tests/intake/test_downloads.py shows a
name of each.

Only the part of a path counts that the student cannot choose. Positions are those of the name itself: a
name in other case can have another length (ß and ss, İ and i̇).
"""

import re
from dataclasses import dataclass, field
from datetime import datetime

from grader.intake import archive
from grader.intake.files import by_number

INBOUND = re.compile(  # the time may end in an offset with a plus sign; what follows is a random string
    r"(?P<name>[^+]+)\+(?P<lab>[^+]+)"
    r"\+(?P<time>[^+]+(?:\+[0-9]{1,2}(?:[:._]?[0-9]{2})?(?![^+]))?)(\+[^+]*)?"
)
MOODLE = re.compile(r"(?P<name>.+?)_(?P<number>[0-9]+)_assignsubmission_[a-z]+_?(?P<file>.*)", re.DOTALL)
FLAT = re.compile(
    r"(?P<name>.*?)_(?P<late>LATE_)?(?P<number>[0-9]{2,}|[0-9](?=_[0-9]))_((?P<attempt>[0-9]+)_)?", re.DOTALL
)
BLACKBOARD = re.compile(
    r"(?P<number>.+)_attempt_(?P<attempt>[0-9]{4}(?:-[0-9]{2}){5})_?(?P<file>.*)", re.DOTALL
)
FOLDERS = {  # whole paths: what a student can choose is `file`
    "brightspace": r"(?:[0-9]+-[0-9]+ - )?(?P<name>[^/]+?) - "
    r"(?P<stamp>\w+\.? [0-9]{1,2}, [0-9]{4} [0-9]{3,4} [AP]M)/(?P<file>.+)",
    "teams": r"Submitted files/(?P<name>[^/]+)/[^/]+/(?:Version (?P<attempt>[0-9]+)/)?(?P<file>.+)",
    "github": r"(?P<prefix>[^/]+)-submissions/(?P=prefix)-(?P<number>[^/]+)/(?P<file>.+)",
    "ilias": r"(?![0-9]{2}_|assignment_[0-9]+_export)(?P<last>[^_/]+)_(?P<first>[^_/]+)_(?P<number>[^/]+?)"
    r"(?:_[0-9]+)?/(?P<file>.+)",
}  # OLAT's folders are as those of ILIAS, without the number
FOLDER_PATTERNS = {name: re.compile(text, re.DOTALL) for name, text in FOLDERS.items()}
PLAIN = re.compile(r"(?P<name>.+?)(_(?P<number>[A-Za-z0-9-]+))?[_ -]*", re.DOTALL)


@dataclass
class Submission:
    """The files of one submission, and the data of the download about them."""

    origin: str  # the first part of the path of the files
    name: str
    number: str = ""
    platform: str = ""  # moodle, canvas, one of FOLDERS or the like; "" for nbgrader's exchange
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
        return Submission(first, match["name"], match["number"], "moodle"), rest or match["file"]
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
    """The submission and name of a file in a platform's folder for a student."""
    for platform, pattern in FOLDER_PATTERNS.items():
        if (match := pattern.fullmatch(path)) and not INBOUND.match(path):
            said = {"name": "", "number": "", "attempt": "", "stamp": "", **match.groupdict(default="")}
            name = said["name"] or " ".join(filter(None, (said.get("first"), said.get("last"))))
            origin = path.removesuffix(said["file"]).rstrip("/")
            attempt = int(said["attempt"] or 0) or minutes(said["stamp"])
            return Submission(origin, name, said["number"], platform, attempt=attempt), said["file"]
    return None


def minutes(stamp: str) -> int:
    """A number that is larger for a later time of Brightspace's, in English; 0 for any other text."""
    for form in ("%b %d, %Y %I%M %p", "%B %d, %Y %I%M %p"):
        try:
            moment = datetime.strptime(re.sub(r" (\d{3}) ", r" 0\1 ", stamp.replace(".", "")), form)
        except ValueError:
            continue
        return int((moment - datetime(2000, 1, 1)).total_seconds() // 60)
    return 0


def sender_of_file(name: str, lab: str) -> tuple[Submission, str] | None:
    """The submission and name of a single file, from the text before the lab's name or its numbers."""
    labs = re.search(re.escape(lab), name, re.IGNORECASE)
    front = name[: labs.start()] if labs else name
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
