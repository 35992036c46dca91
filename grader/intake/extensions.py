"""Extensions and exemptions: a CSV for each lab, which the course keeps in course/extensions/LAB.csv.

A line says for a student_id one of: `days` after the lab's due date, `until` (a date, or a time of UTC), and
`exempt`. A line with none of them takes back what an earlier file said.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct

from grader.intake import kept, times
from labsupport.errors import LabError

WHAT = "extensions"
TITLES: tuple[str, ...] = ("student_id", "days", "until", "exempt")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Extension(Struct, frozen=True):
    """What a student is granted. until: UTC, without tzinfo, like nbgrader's due dates."""

    days: float = 0.0
    until: datetime | None = None
    exempt: bool = False

    def beyond(self, due: datetime | None) -> timedelta | None:
        """The time after a due date; None if there is none."""
        if due is None:
            return None
        more = self.until - due if self.until else timedelta(days=self.days)
        return more if more > timedelta(0) else None

    def __str__(self) -> str:
        if self.exempt:
            return "exempt"
        if self.until:
            return f"until {self.until:%Y-%m-%d %H:%M} UTC"
        return f"{self.days:g} day{'s' * (self.days != 1)} more" if self.days else "nothing more"


def read(lab: str) -> dict[str, Extension]:
    """What students are granted in a lab. Raises LabError for a damaged file."""
    place = kept.path(WHAT, lab)
    return {student: granted(place, line) for student, line in kept.read(WHAT, lab, TITLES).items()}


def keep(lab: str, new: Path) -> dict[str, Extension]:
    """Add a CSV to what the course keeps. What the CSV grants.

    Raises LabError, and changes nothing, for a file that cannot be read, or not be kept.
    """
    added = kept.new(new, TITLES)
    said = {student: granted(new, line) for student, line in added.items()}
    kept.add(WHAT, lab, TITLES, added)
    return said


def granted(source: Path, line: dict[str, str]) -> Extension:
    """What a line grants. Raises LabError."""
    days, until, exempt = (line[title] for title in TITLES[1:])
    try:
        if not line["student_id"] or (days and until) or exempt.casefold() not in kept.YES + kept.NO:
            raise ValueError
        until = f"{until} 23:59:59" if DATE.fullmatch(until) else until
        number = float(days.replace(",", ".") or 0)
        if not 0 <= number <= 3650:
            raise ValueError
        return Extension(number, times.read(until, UTC) if until else None, exempt.casefold() in kept.YES)
    except (ValueError, times.Unclear):
        said = ", ".join(line.values())
        raise LabError(
            f"{source} cannot be understood in the line '{said}': a student_id needs days as a number, or "
            "until as 2026-12-03 or 2026-12-03 22:59, or yes for exempt."
        ) from None
