"""CSVs that say something of students in a lab, and which the course keeps: course/WHAT/LAB.csv.

A later file adds to what is kept; of a student in both, the new line counts.
"""

from collections.abc import Sequence
from pathlib import Path

from grader import course
from grader.intake import spreadsheet
from grader.intake.parse import shown
from grader.intake.stored import ALLOWED, STUDENT
from labsupport.errors import LabError

YES = ("yes", "y", "x", "true", "1")
NO = ("", "no", "n", "false", "0")


def path(what: str, lab: str) -> Path:
    """The kept file of a lab. what: extensions or teams."""
    return course.folder() / what / f"{lab}.csv"


def read(what: str, lab: str, titles: Sequence[str]) -> dict[str, dict[str, str]]:
    """The kept lines of a lab by student id; none without its file. Raises LabError for a damaged one."""
    return lines(path(what, lab), titles) if path(what, lab).exists() else {}


def add(what: str, lab: str, titles: Sequence[str], added: dict[str, dict[str, str]]) -> None:
    """Keep these lines besides those that are kept. Raises LabError."""
    write(what, lab, titles, read(what, lab, titles) | added)


def new(source: Path, titles: Sequence[str]) -> dict[str, dict[str, str]]:
    """The lines of somebody's CSV by student id, each an id that a student may have. Raises LabError."""
    found = lines(source, titles)
    for student in found:
        if not STUDENT.fullmatch(student):
            raise LabError(f"{source} has '{shown(student)}' as a student_id: {ALLOWED}.")
    return found


def lines(source: Path, titles: Sequence[str]) -> dict[str, dict[str, str]]:
    """The lines of a CSV by student id. Raises LabError."""
    table = spreadsheet.table(source)
    there, others = set(spreadsheet.titles_of(table)), titles[1:]
    if titles[0] not in there or not there & {*others}:
        one = "one of " * (len(others) > 1)
        raise LabError(
            f"{source} needs the column {titles[0]}, and {one}{', '.join(others)}, in its first line."
        )
    for title in titles:
        spreadsheet.once(table, title, source)
    found = {}
    for line in spreadsheet.lines(table, titles):
        student = line[titles[0]]
        if student in found:
            raise LabError(f"{source} has the student_id '{student}' twice.")
        if any(line.values()):
            found[student] = line
    return found


def write(what: str, lab: str, titles: Sequence[str], kept: dict[str, dict[str, str]]) -> None:
    """Store the lines of a lab atomically. Raises LabError."""
    try:
        spreadsheet.write_lines(path(what, lab), titles, kept.values())
    except OSError as problem:
        raise LabError(f"{path(what, lab)} cannot be written: {problem.strerror}.") from problem
