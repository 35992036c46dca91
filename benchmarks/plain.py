"""Plain nbgrader as it comes out of the box, each step of it timed; no torch in its own process."""

import functools
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from nbconvert.preprocessors import ExecutePreprocessor
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderApp
from nbgrader.converters import Autograde
from nbgrader.converters.base import BaseConverter

from benchmarks.family import Peak

COURSE_ID = "plain"


def release(folder: str, lab: str) -> dict:
    """`nbgrader generate_assignment` in that course."""
    return {"status": nbgrader(folder, "generate_assignment", lab)}


def autograde(folder: str, lab: str) -> dict:
    """`nbgrader autograde` in that course: seconds by phase, peak memory, and who has all the points.

    each: the seconds of every student.
    """
    phases, each = Counter(), Counter()
    timed(phases, BaseConverter, "convert_single_notebook", which_pass)
    timed(each, BaseConverter, "convert_single_notebook", whose_notebook)
    timed(phases, ExecutePreprocessor, "preprocess", lambda *_: "execute")
    timed(phases, ExecutePreprocessor, "preprocess_cell", whose_cell)
    timed(phases, Autograde, "init_assignment", lambda *_: "entry")
    with Peak() as family:
        nbgrader(folder, "autograde", lab)
    inside = phases["judging"] + phases["code"]
    return {
        "phases": {
            "intake": phases["intake"],
            "start": phases["execute"] - inside,
            "code": phases["code"],
            "judging": phases["judging"],
            "gradebook": phases["entry"] + phases["second"] - phases["execute"],
        },
        "each": each,
        "peak": family.bytes,
        "full": full(f"sqlite:///{folder}/gradebook.db", lab),
    }


def nbgrader(folder: str, command: str, lab: str) -> int:
    """One of nbgrader's commands on the lab, in its course folder; its exit status."""
    os.chdir(folder)
    here = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([here, os.environ["PATH"]])  # it calls `alembic` by name
    try:
        NbGraderApp.launch_instance([command, lab])
    except SystemExit as end:  # 1 when a submission failed
        code: Any = end.code
        return code or 0
    return 0


def timed(phases: dict[str, Any], owner: type, name: str, phase) -> None:
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


def which_pass(converter: Autograde, *_) -> str:
    """nbgrader converts a notebook twice: it puts the locked cells back, then it runs and enters it."""
    return "intake" if converter._sanitizing else "second"


def whose_notebook(_, path: str) -> str:
    """The student whose STUDENT/LAB/LAB.ipynb is converted."""
    return Path(path).parent.parent.name


def whose_cell(_, cell, *__) -> str:
    """Whether a cell is one of the lab's checks, or the student's."""
    check = cell.metadata.get("nbgrader", {}).get("grade_id", "").startswith("check_")
    return "judging" if check else "code"


def full(url: str, lab: str) -> list[str]:
    """The students who have every point that a machine gives."""
    with Gradebook(url, COURSE_ID) as book:
        return sorted(
            each.student.id
            for each in book.assignment_submissions(lab)
            if sum(grade.auto_score or 0 for notebook in each.notebooks for grade in notebook.grades)
            >= sum(cell.max_score for cell in checks(book, lab))
        )


def checks(book: Gradebook, lab: str) -> list:
    """The check cells of the lab's notebook."""
    cells: Any = book.find_notebook(lab, lab).grade_cells
    return [cell for cell in cells if cell.name.startswith("check_")]
