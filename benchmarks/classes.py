"""(a) A mixed class of lab 02: plain `nbgrader autograde`, and ours in several ways; (e) their memory."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import nbformat

from benchmarks import submissions
from benchmarks.measure import fresh, in_turn
from benchmarks.submissions import LAB
from benchmarks.table import Row, megabytes
from grader.author import notebooks
from grader.grade.local_pool import cores
from labsupport import files
from labsupport.errors import LabError

CELL_SECONDS = 120  # for a cell, every time: far above what an honest one takes
WAYS = {
    "cold": ("--cold",), "warm": (),
    "warm, every cell": ("--all-cells",), "warm, one worker": ("--workers", "1"),
}  # fmt: skip
GOALS = {"warm": ">= 10", "warm, every cell": ">= 3"}  # for a class of 200, of which one loops
PHASES = ("intake", "start", "code", "judging", "gradebook")
STOCK = """\
c = get_config()
c.CourseDirectory.course_id = "plain"
c.ExecutePreprocessor.timeout = {seconds}
"""
ABOUT = (
    "Plain nbgrader runs the checks' public cases in the student's own kernel, so its judging is there. "
    "It runs every cell; ours leaves out the lab's own experiments, on which no point depends, unless a row "
    "says so. A cell may take {cell_seconds} s each time, and one student's loop takes all of that, which "
    "weighs ten times what it does in a class of 200. "
    "Ours grades with as many workers as there are cores, each with its share of them; plain nbgrader takes "
    "one after the other, on all cores. The clock also counts the start of interpreters, workers and warm "
    "parent. "
    "A class's memory is that of all its processes at one time, shared pages counted once, sampled."
)


def run(
    count: int = submissions.COUNT, cell_seconds: int = CELL_SECONDS, rounds: int = 1
) -> tuple[list[Row], list[str]]:
    """Submissions an hour, where the seconds go, and peak memory.

    Each round grades the whole class in a new course folder.
    """
    mix = submissions.mixed(count)
    ways = {"plain": partial(once_plain, mix, cell_seconds)}
    ways |= {way: partial(once_ours, mix, cell_seconds, options) for way, options in WAYS.items()}
    found = in_turn(ways, rounds)
    for way, result in found.items():
        if missing := {student for student in mix if student.startswith("right")} - set(result["full"]):
            raise LabError(
                f"{', '.join(sorted(missing))} did not get all points with {way}: nothing to compare."
            )
    rows = []
    for way in WAYS:
        peaks = [found[each]["peak"] for each in ("plain", way)]
        what = f"a class of {count}, ours {way}"
        rows.append(throughput(what, count, found["plain"], found[way], GOALS.get(way, "")))
        rows.append(Row(f"{what}: peak memory", *map(megabytes, peaks), ratio=peaks[1] / peaks[0]))
    what = f"a class of {count}, ours, {cores()} workers against one"
    rows.append(throughput(what, count, found["warm, one worker"], found["warm"], ">= 1.7"))
    notes = [f"Seconds a submission, {way}: {breakdown(result, count)}." for way, result in found.items()]
    return rows, [*notes, ABOUT.format(cell_seconds=cell_seconds)]


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
