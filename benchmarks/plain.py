"""Plain nbgrader as it comes out of the box, each step of it timed."""

import functools
import os
import sys
import time
from collections import Counter
from pathlib import Path

import nbformat
from nbconvert.preprocessors import ExecutePreprocessor
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderApp
from nbgrader.converters import Autograde
from nbgrader.converters.base import BaseConverter

from benchmarks.family import Peak
from benchmarks.submissions import LAB, hand_in
from grader import build, course

CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "plain"
c.ExecutePreprocessor.timeout = {seconds}
"""


def prepare(folder: Path, submissions: dict[str, bytes], seconds: int) -> None:
    """A course of its own: the lab's instructor notebook, stock settings but for a cell's time."""
    course.write_whole(folder / "nbgrader_config.py", CONFIG.format(seconds=seconds).encode())
    source = nbformat.writes(build.source_notebook(LAB))
    course.write_whole(folder / "source" / LAB / f"{LAB}.ipynb", source.encode())
    hand_in(folder, submissions)


def release(folder: str) -> dict:
    """`nbgrader generate_assignment` in that course."""
    return {"status": nbgrader(folder, "generate_assignment")}


def autograde(folder: str) -> dict:
    """`nbgrader autograde` in that course: seconds by phase, peak memory, and who has all the points."""
    phases = Counter()
    timed(
        phases,
        BaseConverter,
        "convert_single_notebook",
        lambda self, *_: "intake" if self._sanitizing else "second",
    )
    timed(phases, ExecutePreprocessor, "preprocess", lambda *_: "execute")
    timed(
        phases,
        ExecutePreprocessor,
        "preprocess_cell",
        lambda _, cell, *__: "judging" if is_check(cell) else "code",
    )
    timed(phases, Autograde, "init_assignment", lambda *_: "entry")
    with Peak() as family:
        nbgrader(folder, "autograde")
    inside = phases["judging"] + phases["code"]
    return {
        "phases": {
            "intake": phases["intake"],
            "start": phases["execute"] - inside,
            "code": phases["code"],
            "judging": phases["judging"],
            "gradebook": phases["entry"] + phases["second"] - phases["execute"],
        },
        "peak": family.bytes,
        "full": full(f"sqlite:///{folder}/gradebook.db", "plain"),
    }  # fmt: skip


def nbgrader(folder: str, command: str) -> int:
    """One of nbgrader's commands on the lab, in its course folder; its exit status."""
    os.chdir(folder)
    here = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([here, os.environ["PATH"]])  # it calls `alembic` by name
    try:
        NbGraderApp.launch_instance([command, LAB])
    except SystemExit as end:  # 1 when a submission failed
        return end.code or 0
    return 0


def timed(phases: Counter, owner: type, name: str, phase) -> None:
    """Add up the seconds in a method under the phase that phase(*arguments) names."""
    method = getattr(owner, name)

    @functools.wraps(method)
    def wrapped(*arguments, **options):
        started, key = time.monotonic(), phase(*arguments)
        try:
            return method(*arguments, **options)
        finally:
            phases[key] += time.monotonic() - started

    setattr(owner, name, wrapped)


def is_check(cell) -> bool:
    """Whether a cell is one of the lab's checks."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "").startswith("check_")


def full(url: str, course_id: str) -> list[str]:
    """The students who have every point that a machine gives."""
    with Gradebook(url, course_id) as book:
        return sorted(
            each.student.id
            for each in book.assignment_submissions(LAB)
            if sum(grade.auto_score or 0 for notebook in each.notebooks for grade in notebook.grades)
            >= sum(cell.max_score for cell in checks(book))
        )


def checks(book: Gradebook) -> list:
    """The check cells of the lab's notebook."""
    return [cell for cell in book.find_notebook(LAB, LAB).grade_cells if cell.name.startswith("check_")]
