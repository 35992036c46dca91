"""How every exercise stands: what its check said last on this machine, and the points of the labs."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import platformdirs

from labsupport.errors import LabError
from labsupport.fetch.cache import keeper
from labsupport.files import write_whole
from labsupport.graded import being_graded
from labsupport.table import columns

if TYPE_CHECKING:
    from labsupport.check.judge.kit.verdict import Verdict

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
LAB = "[0-9][0-9]_*"
CHECK = "check_"  # a check cell's grade_id is this and the name of the exercise


class Last(msgspec.Struct, frozen=True):
    """The last result of a check, with the parts that passed, and the share of the points, 0 to 1."""

    status: str = "open"  # a value of Ending, or "open" for a check that has not run
    passed: int = 0
    total: int = 0
    share: float = 0.0

    def words(self) -> str:
        """The status as a few words."""
        partly = f"not yet ({self.passed} of {self.total} parts pass)"
        words = {"right": "passed", "wrong": partly, "unwritten": "not written yet"}
        return words.get(self.status, self.status)


@dataclass(frozen=True)
class Graded:
    """A graded cell of a lab: its exercise or question, and its points."""

    lab: str  # "02_magnitude_pruning"
    name: str
    points: float
    written: bool  # a person grades it

    @property
    def starred(self) -> bool:
        """Whether it is for the fun of it: it has no points, and nothing is missing without it."""
        return not self.points


def folder() -> Path:
    """The folder with one file for every exercise: in PRUNING_LABS_CACHE, or among the user's data.

    A cache that somebody else keeps for many users holds nobody's progress.
    """
    named = os.environ.get("PRUNING_LABS_CACHE")
    if named and keeper(Path(named).expanduser()) is None:
        return Path(named).expanduser() / "checks"
    return platformdirs.user_data_path("pruning-labs") / "checks"


def note(verdict: "Verdict") -> None:
    """Store the result of a check in the file of its exercise; the newest replaces the one before.

    A check is never stopped by a disk that is full. A judge that failed has judged nothing.
    """
    if being_graded() or verdict.status == "fault":
        return
    last = Last(str(verdict.status), verdict.passed, verdict.total, verdict.share)
    with contextlib.suppress(OSError):
        write_whole(folder() / f"{verdict.exercise}.json", msgspec.json.encode(last))


def last(exercise: str) -> Last:
    """The last result of an exercise's check on this machine; an open one where none can be read."""
    try:
        return msgspec.json.decode((folder() / f"{exercise}.json").read_bytes(), type=Last)
    except (OSError, msgspec.MsgspecError):
        return Last()


def graded_cells() -> list[Graded]:
    """The graded cells of all notebooks that are handed out, in order. Raises LabError where there are none.

    They are in notebooks/ beside this package, or else here, or beside the folder of the notebook that asks,
    or in the students' zip that was unpacked here.
    """
    for place in (NOTEBOOKS, Path.cwd(), Path.cwd().parent, Path("pruning-labs", "labs").absolute()):
        paths = [path for path in sorted(place.glob(f"{LAB}/{LAB}.ipynb")) if path.stem == path.parent.name]
        if paths:
            return [cell for path in paths for cell in _cells_of(path)]
    raise LabError(f"There are no notebooks in {NOTEBOOKS}.")


def _cells_of(path: Path) -> Iterator[Graded]:
    """The graded cells of one notebook. Raises LabError for a file that is no notebook."""
    try:
        about = [cell["metadata"].get("nbgrader", {}) for cell in json.loads(path.read_bytes())["cells"]]
        for each in about:
            if each.get("grade"):
                name = each["grade_id"].removeprefix(CHECK)
                yield Graded(path.stem, name, float(each["points"]), written=each["solution"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as problem:
        raise LabError(f"{path} cannot be read: is it a notebook?") from problem


def report() -> str:
    """A table of all exercises with the points so far, the sums, and the exercise to go on with."""
    if being_graded():
        return "Your progress is shown on your machine, not under grading."
    cells = graded_cells()
    checks = [cell for cell in cells if not cell.written]
    found = {cell.name: last(cell.name) for cell in checks}
    earned = {cell.name: found[cell.name].share * cell.points for cell in checks}
    rows, lab = [], ""
    for cell in checks:
        title = "" if cell.lab == lab else cell.lab.replace("_", " ")
        points = "starred" if cell.starred else f"{earned[cell.name]:.3g} of {cell.points:g}"
        rows.append([title, cell.name, found[cell.name].words(), points])
        lab = cell.lab
    counting = [cell for cell in checks if not cell.starred]
    unfinished = [cell for cell in counting if found[cell.name].status not in ("right", "given")]
    ahead = [f"Go on with {cell.name} in lab {cell.lab[:2]}." for cell in unfinished]
    most, by_hand = (sum(cell.points for cell in cells if cell.written == hand) for hand in (False, True))
    return (
        f"{columns(['lab', 'exercise', 'its check', 'points'], rows, left=3)}\n\n"
        f"{sum(earned.values()):.3g} of {most:g} points so far, by the checks on this machine;\n"
        f"{by_hand:g} more are for written answers, which a person grades.\n"
        f"{[*ahead, 'Every exercise is done.'][0]}"
    )
