"""(a) A mixed class of lab 02: plain `nbgrader autograde`, and ours in several ways; (e) their memory."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat

from benchmarks import submissions
from benchmarks.measure import fresh
from benchmarks.submissions import LAB
from benchmarks.table import Row, megabytes
from grader.author import notebooks
from grader.grade.local_pool import cores
from labsupport import files
from labsupport.errors import LabError

CELL_SECONDS = 120  # for a cell, every time: far above what an honest one takes
LARGE, CALM = 200, 60  # students of a whole class, and of one in which nobody loops
PHASES = ("intake", "start", "code", "judging", "gradebook")
STOCK = """\
c = get_config()
c.CourseDirectory.course_id = "plain"
c.ExecutePreprocessor.timeout = {seconds}
"""
ABOUT = (
    "Plain nbgrader runs the checks' public cases in the student's own kernel, so its judging is there. "
    "It runs every cell; ours leaves out the lab's own experiments, on which no point depends, unless a row "
    "says so. A cell may take {cell_seconds} s each time, and one student's loop takes all of that. "
    "Of {large} students 70 % are right, 20 % mistaken, 5 % unfinished and 5 % broken, and one loops; ours "
    "graded them all, and plain nbgrader one of each of {count} kinds, which count as often as the class has "
    "them: it keeps nothing from one student for the next. In the class of {count} the loop weighs ten times "
    "as much. "
    "Ours grades with as many workers as there are cores, each with its share of them; plain nbgrader takes "
    "one after the other, on all cores. The clock also counts the start of interpreters, workers and warm "
    "parent. "
    "A class's memory is that of all its processes at one time, shared pages counted once, sampled."
)


def run(
    count: int = submissions.COUNT, large: int = LARGE, calm: int = CALM, cell_seconds: int = CELL_SECONDS
) -> tuple[list[Row], list[str]]:
    """Submissions an hour, where the seconds go, and peak memory; each way in a new course folder.

    count: students of whom plain nbgrader grades each; large: those of a whole class; calm: of one without
    a loop, in which one worker is compared with all.
    """
    kinds, crowd, quiet = submissions.mixed(count), submissions.crowd(large), submissions.crowd(calm, False)
    plain = checked(kinds, once_plain(kinds, cell_seconds), "plain nbgrader")
    warm = checked(crowd, once_ours(crowd, cell_seconds), "ours")
    every = checked(kinds, once_ours(kinds, cell_seconds, ("--all-cells",)), "every cell")
    one = checked(quiet, once_ours(quiet, cell_seconds, ("--workers", "1")), "one worker")
    many = checked(quiet, once_ours(quiet, cell_seconds), "all workers")
    rows = []
    for what, students, baseline, ours, goal in (
        (f"a class of {large}, ours", large, weighed(plain, crowd), warm, ">= 10"),
        (f"a class of {count}, ours with every cell", count, plain, every, ">= 3"),
        (f"a class of {calm}, ours, {cores()} workers against one", calm, one, many, ">= 1.7"),
    ):
        rows.append(throughput(what, students, baseline, ours, goal))
        peaks = baseline["peak"], ours["peak"]
        rows.append(Row(f"{what}: peak memory", *map(megabytes, peaks), ratio=peaks[1] / peaks[0]))
    notes = [
        f"Seconds a submission, {way}: {breakdown(result, students)}."
        for way, result, students in (
            (f"plain nbgrader, {count} kinds", plain, count), (f"ours, {large} students", warm, large),
            (f"ours with every cell, {count} kinds", every, count),
            (f"ours, one worker, {calm} students", one, calm),
            (f"ours, {cores()} workers, {calm} students", many, calm),
        )
    ]  # fmt: skip
    return rows, [*notes, ABOUT.format(cell_seconds=cell_seconds, large=large, count=count)]


def checked(mix: dict[str, bytes], result: dict, way: str) -> dict:
    """The result. Raises LabError if somebody who is right did not get all points: nothing to compare."""
    if missing := {student for student in mix if "right" in student} - set(result["full"]):
        raise LabError(f"{', '.join(sorted(missing))} did not get all points with {way}: nothing to compare.")
    return result


def weighed(plain: dict, crowd: dict[str, bytes]) -> dict:
    """What plain nbgrader would take for a crowd: its start once, and for each student what the kind took."""
    each = plain["each"]
    start = plain["wall"] - sum(each.values())
    return plain | {"wall": start + sum(each[submissions.kind(student)] for student in crowd)}


def once_plain(mix: dict[str, bytes], cell_seconds: int) -> dict:
    """The class with plain nbgrader: stock settings but for a cell's time, the same source notebook."""
    with tempfile.TemporaryDirectory() as folder:
        settings = STOCK.format(seconds=cell_seconds)
        source = nbformat.writes(notebooks.source_notebook(LAB))
        files.write_whole(Path(folder, "nbgrader_config.py"), settings.encode())
        files.write_whole(Path(folder, "source", LAB, f"{LAB}.ipynb"), source.encode())
        submissions.hand_in(Path(folder), mix)
        released(fresh("plain:release", folder=folder, lab=LAB))
        return fresh("plain:autograde", folder=folder, lab=LAB)


def once_ours(mix: dict[str, bytes], cell_seconds: int, options: Sequence[str] = ()) -> dict:
    """The class with this course's grader, in a new course folder."""
    with tempfile.TemporaryDirectory() as folder:
        submissions.hand_in(Path(folder), mix)
        released(fresh("ours:release", folder=folder))
        return fresh("ours:grade", folder=folder, seconds=cell_seconds, options=options)


def released(result: dict) -> None:
    """Raises LabError when the lab could not be released."""
    if result["status"]:
        raise LabError("The lab cannot be released for the benchmark.")


def throughput(what: str, count: int, baseline: dict, ours: dict, goal: str) -> Row:
    """A row of submissions an hour."""
    hourly = [3600 * count / each["wall"] for each in (baseline, ours)]
    rates = [f"{rate:,.0f} an hour" for rate in hourly]
    return Row(f"{what}: throughput", *rates, ratio=hourly[1] / hourly[0], goal=goal)


def breakdown(result: dict, count: int) -> str:
    """Seconds a submission by phase, all workers' together, and what the class took by the clock."""
    phases = result["phases"]
    names = [*PHASES, *(name for name in phases if name not in PHASES)]
    parts = [f"{name} {phases.get(name, 0.0) / count:.2f}" for name in names]
    return f"{', '.join(parts)}; {result['wall'] / count:.2f} by the clock"
