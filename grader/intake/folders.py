"""Platforms whose downloads have a folder for each student, as their sources and scripts of users show them.

Brightspace: `48301-77412 - Jane Smith - Mar 1, 2026 1022 PM/FILE`, and at some schools ` - FILE` behind it;
the time may have its colon.
Teams: its document library. GitHub Classroom: what `gh classroom clone student-repos` makes.
ILIAS (ilExSubmission): `Smith_Jane_jsmith_1234/FILE`, of teams in `Team 7/`; what is not ASCII becomes other
letters or _, so that only the login is sure. OLAT (GTACourseNode): `ita_TASK_DATE/Smith_Jane_jsmith/` with
1_task, 2_submissions, 3_corrections and so on.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from grader.intake.roster import Roster

TASK = "(?:ita|grouptask)_[^/]*_[0-9]{4}-[0-9]{2}-[0-9]{2}[^/]*"  # no student's folder
PATTERNS = {  # of whole paths; what a student can choose is `file`
    "brightspace": r"(?:[0-9]+(?:-[0-9]+)? - )?(?:(?P<number>[A-Z]{0,2}[0-9]{4,}) - )?(?P<name>[^/]+?) ?- "
    r"(?P<stamp>\w+\.? [0-9]{1,2}, [0-9]{4} [0-9]{1,2}:?[0-9]{2} [AP]M)(?:/| - )(?P<file>.+)",
    "teams": r"Submitted files/(?P<name>[^/]+)/[^/]+/(?:Version (?P<attempt>[0-9]+)/)?(?P<file>.+)",
    "github": r"(?P<prefix>[^/]+)-submissions/(?P=prefix)-(?P<number>[^/]+)/(?P<file>.+)",
    "olat": rf"(?:{TASK}/)?(?P<number>[^/]+)/"
    r"[0-9]+_(?:submissions|revisions_(?P<attempt>[0-9]+))/(?P<file>.+)",
    "ilias": rf"(?!{TASK}/)(?:[^/_]+ [0-9]+/)?(?=(?:[^/_]*_){{3}})(?P<number>[^/]+)_[0-9]+/(?P<file>.+)",
}
COMPILED = {platform: re.compile(text, re.DOTALL) for platform, text in PATTERNS.items()}
IN_ONE = ("ilias", "olat")  # name and login are in one text
BESIDE = {  # files of the platform's own
    "brightspace": re.compile("index.html"),
    "gradescope": re.compile("submission_metadata.yml"),
    "olat": re.compile(
        rf"{TASK}/[^/]+\.xlsx|([^/]+/)?solutions/.+"
        r"|([^/]+/)?[^/]+/[0-9]+_(task|corrections(_[0-9]+)?|assessment)/.+",
        re.DOTALL,
    ),
}


@dataclass(frozen=True)
class Parsed:
    """What the path of a file says. number: a login or the like; attempt: later ones are larger."""

    platform: str
    name: str
    number: str
    attempt: int
    file: str


def parsed(path: str) -> Parsed | None:
    """What the path of a file in a platform's folder says; None for another path."""
    for platform, pattern in COMPILED.items():
        if match := pattern.fullmatch(path):
            said = {"name": "", "number": "", "attempt": "", "stamp": "", **match.groupdict(default="")}
            attempt = int(said["attempt"] or 0) or minutes(said["stamp"])
            return Parsed(platform, said["name"], said["number"], attempt, said["file"])
    return None


def minutes(stamp: str) -> int:
    """A number that is larger for a later time of Brightspace's, in English; 0 for any other text."""
    for form in ("%b %d, %Y %I%M %p", "%B %d, %Y %I%M %p"):
        try:
            moment = datetime.strptime(re.sub(r" (\d{3}) ", r" 0\1 ", re.sub("[.:]", "", stamp)), form)
        except ValueError:
            continue
        return int((moment - datetime(2000, 1, 1)).total_seconds() // 60)
    return 0


def whose(text: str, people: Roster) -> tuple[str | None, str]:
    """The student of `Last_First_login`, where each part may have a _; or None and the reason.

    Where login and name are both known, they must be one student's.
    """
    words = text.split("_")
    logins = {people.find("", "_".join(words[place:]))[0] for place in range(len(words))} - {None}
    ends = range(min(2, len(words)), len(words) + 1)
    names = {people.find("_".join(words[:end]))[0] for end in ends}
    names -= {None}
    both = logins & names if logins and names else logins | names
    if len(both) == 1:
        return next(iter(both)), ""
    if logins | names:
        fitting = ", ".join(sorted(map(str, logins | names)))
        return None, f"'{text}' fits several students of the roster: {fitting}"
    return None, f"'{text}' is not in the roster"


def of_platform(path: str, platforms: set[str]) -> bool:
    """Whether a file is the own of one of these platforms, and nobody's work."""
    return any(BESIDE[platform].fullmatch(path) for platform in platforms & BESIDE.keys())
