"""The CSV of what could be matched to no student: a person fills in `student_id` for the next time."""

from pathlib import Path

from grader.intake import spreadsheet
from grader.intake.senders import Submission
from labsupport.errors import LabError

TITLES: tuple[str, ...] = ("origin", "name", "number", "student_id")


def read(path: Path) -> dict[str, str]:
    """The filled-in student ids by origin; empty without a file. Raises LabError for a damaged one."""
    return {row["origin"]: row["student_id"] for row in rows(path) if row["student_id"]}


def rows(path: Path) -> list[dict[str, str]]:
    """The lines of the file, by their titles; none without a file. Raises LabError for a damaged one."""
    if not path.exists():
        return []
    table = spreadsheet.table(path)
    if table and not {"origin", "student_id"} <= set(spreadsheet.titles_of(table)):
        raise LabError(f"{path} needs the columns {', '.join(TITLES)}.")
    return spreadsheet.lines(table, TITLES)


def add(path: Path, left: list[Submission]) -> None:
    """Add what is left to the file; the lines that are there stay. Raises OSError."""
    lines = rows(path)
    there = {line["origin"] for line in lines}
    new = {each.origin: each for each in left if each.origin not in there}
    lines += [
        dict(zip(TITLES, (origin, each.name, each.number, ""), strict=True)) for origin, each in new.items()
    ]
    spreadsheet.write_lines(path, TITLES, lines)
