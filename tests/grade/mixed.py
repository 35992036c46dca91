"""A small class with every kind of end, and its records when it is graded one after the other."""

import atexit
import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache as once
from pathlib import Path

import nbformat
import pytest

from grader import course
from grader.author.release import release
from grader.grade.class_run import grade_class
from grader.grade.journal import Record
from grader.sandbox.run import Limits
from tests.grade.test_hostile import hand_in, right_answers
from tests.hostile.submissions import FILE, LAB, find

LIMITS = Limits(cell_seconds=60, total_seconds=300, memory=3 * 2**30)
CLOCK = ("seconds", "phases", "graded_at")


def without_torch(cell: str = "") -> dict[str, bytes]:
    """A submission that is graded fast: its cells fail before torch is imported; this cell runs first."""
    notebook = right_answers()
    notebook.cells[0] = nbformat.v4.new_code_cell(cell, id="first")
    return {FILE: nbformat.writes(notebook).encode()}


def half_right() -> dict[str, bytes]:
    """Right, but for the last exercise, whose judge then has much to say."""
    notebook = right_answers()
    cell = find(notebook, "global_magnitude_masks")
    assert "part.view" in cell.source
    cell.source = cell.source.replace("part.view", "~part.view")
    return {FILE: nbformat.writes(notebook).encode()}


def hand_in_all() -> None:
    """Everybody's submission, into the course folder."""
    hand_in("ada", half_right())
    hand_in("ben", without_torch())
    hand_in("cem", without_torch("import os; os._exit(1)"))
    hand_in("eve", {FILE: b"<html>"})
    hand_in("fay", {})


@contextlib.contextmanager
def another_course() -> Iterator[Path]:
    """A course folder with the lab released and always the same seed, on the tiny model."""
    settings = {"PRUNING_LABS_MODEL": "tiny", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        patch.setenv("PRUNING_LABS_COURSE", str(shutil.copytree(released(), Path(folder, "course"))))
        yield course.folder()


@once
def released() -> Path:
    """A course folder as it is after the release."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    (folder / "seed").write_text("7\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNING_LABS_COURSE", str(folder))
        release([LAB])
    return folder


def comparable(records: list[Record]) -> dict[str, dict]:
    """The records by student, less what the clock, or who came first, has a part in."""
    found = {}
    for record in records:
        kept = {name: getattr(record, name) for name in record.__struct_fields__ if name not in CLOCK}
        kept["shared"] = [(each.masks, each.perplexity) for each in record.shared]
        found[record.student] = kept
    return found


@once
def one_after_the_other() -> dict[str, dict]:
    """The class graded by this process alone: what any other way must come to."""
    with another_course():
        hand_in_all()
        return comparable(grade_class(LAB, limits=LIMITS))
