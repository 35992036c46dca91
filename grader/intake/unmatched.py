"""The CSV of what could be matched to no student: a person fills in `student_id` for the next time.

The register keeps what was filled in, and the CSV of a later call counts over it.
"""

from pathlib import Path

from grader.intake import spreadsheet, stored
from grader.intake.files import pick
from grader.intake.parse import Unreadable, shown
from grader.intake.senders import UNKNOWN, Submission
from labsupport.errors import LabError

TITLES: tuple[str, ...] = ("origin", "name", "number", "student_id")


def read(path: Path) -> dict[str, str]:
    """The student ids by origin, "" where none is filled in. Raises LabError for a damaged file."""
    said: dict[str, str] = {}
    for row in rows(path):
        if said.setdefault(row["origin"], row["student_id"]) != row["student_id"]:
            raise LabError(
                f"{path} gives '{shown(row['origin'], 120)}' to two students: remove one of the lines."
            )
    return said


def rows(path: Path) -> list[dict[str, str]]:
    """The lines of the file, by their titles; none without a file. Raises LabError for a damaged one."""
    if not path.exists():
        return []
    table = spreadsheet.table(path)
    if table and not {"origin", "student_id"} <= set(spreadsheet.titles_of(table)):
        raise LabError(f"{path} needs the columns {', '.join(TITLES)}.")
    for title in TITLES:
        spreadsheet.once(table, title, path)
    return spreadsheet.lines(table, TITLES)


def kept(submission: Submission, assigned: dict[str, str], lab: str, submitted: Path) -> str:
    """The student that an earlier call's CSV named for a submission, "" for none.

    A file or folder that no platform named may be another one's by now: it must be what is in place.
    """
    student, name = assigned.get(called(submission.origin), ""), pick(sorted(submission.files), lab)[0]
    if not student or submission.platform != UNKNOWN or "/" in submission.origin:
        return student
    there = stored.own(submitted / student / lab) / f"{lab}.ipynb"
    try:
        same = name is not None and there.read_bytes() == submission.files[name].read()
    except (OSError, Unreadable):
        return ""
    return student if same else ""


def called(origin: str) -> str:
    """An origin as the file has it: printable, no formula, and the same when a spreadsheet has saved it."""
    printable = "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in origin)
    return spreadsheet.harmless(printable.strip())


def add(path: Path, left: list[Submission]) -> None:
    """Add what is left to the file; the lines that are there stay. Raises OSError."""
    lines = rows(path)
    there = {line["origin"] for line in lines}
    new = {called(each.origin): each for each in left}
    lines += [
        dict(zip(TITLES, (origin, called(each.name), called(each.number), ""), strict=True))
        for origin, each in new.items()
        if origin not in there
    ]
    spreadsheet.write_lines(path, TITLES, lines)
