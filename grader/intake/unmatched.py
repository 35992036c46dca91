"""The CSV of what could be matched to no student: a person fills in `student_id` for the next time."""

import csv
import io
from pathlib import Path

from grader.intake import roster
from grader.intake.senders import Submission
from labsupport import files
from labsupport.errors import LabError

TITLES: tuple[str, ...] = ("origin", "name", "number", "student_id")


def read(path: Path) -> dict[str, str]:
    """The filled-in student ids by origin; empty without a file. Raises LabError for a damaged one."""
    return {row["origin"]: row["student_id"] for row in rows(path) if row["student_id"]}


def rows(path: Path) -> list[dict[str, str]]:
    """The lines of the file, by their titles."""
    try:
        lines = list(csv.DictReader(io.StringIO(roster.decoded(path.read_bytes()), newline="")))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise LabError(f"{path} cannot be read: {problem}.") from problem
    if lines and not {"origin", "student_id"} <= lines[0].keys():
        raise LabError(f"{path} needs the columns {', '.join(TITLES)}.")
    return [{title: (line.get(title) or "").strip() for title in TITLES} for line in lines]


def add(path: Path, left: list[Submission]) -> None:
    """Add what is left to the file; the lines that are there stay. Raises OSError."""
    lines = rows(path)
    there = {line["origin"] for line in lines}
    new = {each.origin: each for each in left if each.origin not in there}
    lines += [
        dict(zip(TITLES, (origin, each.name, each.number, ""), strict=True)) for origin, each in new.items()
    ]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, TITLES, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    files.write_whole(path, stream.getvalue().encode())
