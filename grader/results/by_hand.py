"""When people gave points by hand: nbgrader keeps the points and no time.

by_hand.log in the course folder has a line for each change: the gradebook's id of the grade, and the time.
"""

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nbgrader.api import Grade
from sqlalchemy import event, inspect

from grader import course


@dataclass(frozen=True)
class Change:
    """Points of an exercise that a person changed.

    judged: what the judge says, None if it says nothing. now: the points that count. when: "" if not known.
    """

    exercise: str
    judged: float | None
    now: float
    when: str


def log() -> Path:
    """The file; it names no student."""
    return course.folder() / "by_hand.log"


def watch() -> None:
    """From now on, note every change that this process makes: formgrader, nbgrader or the grader."""
    if not event.contains(Grade, "before_update", _note):
        event.listen(Grade, "before_update", _note, propagate=True)


def _note(mapper, connection, grade: Grade) -> None:
    state = inspect(grade).attrs  # pyright: ignore[reportOptionalMemberAccess]
    if state.manual_score.history.has_changes() or state.extra_credit.history.has_changes():
        with contextlib.suppress(OSError), log().open("a") as lines:  # the points count more than their time
            lines.write(f"{grade.id} {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n")


def times() -> dict[str, str]:
    """When each grade was changed last, by its id; empty where nothing was noted."""
    with contextlib.suppress(OSError):
        return dict(line.split(" ", 1) for line in log().read_text().splitlines() if " " in line)
    return {}
