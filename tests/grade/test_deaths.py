"""A grader's process that is killed leaves no process behind, and one submission stops no class."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from grader import course
from grader.grade import journal
from grader.results import report, table
from tests.grade.mixed import another_course, without_torch
from tests.grade.test_hostile import hand_in
from tests.hostile.submissions import FILE, LAB
from tests.sample import few

pytestmark = pytest.mark.alone

SLEEPS = without_torch("import time; time.sleep(25)")


@pytest.mark.parametrize("more", few(["--cold", "--isolation none", "--workers 2"], of=["--isolation none"]))
def test_nothing_outlives_a_killed_grader(deadly, more):
    """Its workers, zygote, sandboxes and kernels end, and the killed submission is graded the next time."""
    with another_course():
        hand_in("ada", SLEEPS)
        hand_in("ben", SLEEPS)
        command = [sys.executable, "-m", "grader", "grade", LAB, *more.split()]
        with subprocess.Popen(command, cwd=deadly, stdout=subprocess.DEVNULL) as run:
            whole = psutil.Process(run.pid)
            for _ in range(250):
                family = whole.children(recursive=True)
                if any(map(is_runner, family)):
                    break
                time.sleep(1)
            run.kill()
        assert any(process.is_running() for process in family)
        _, alive = psutil.wait_procs(family, timeout=100)
        assert alive == []
        assert not journal.records(LAB)


def is_runner(process: psutil.Process) -> bool:
    """Whether a process is a kernel that runs a notebook, in a sandbox or out of one."""
    try:
        return "ipykernel_launcher" in process.cmdline() or process.name() == "bwrap"
    except psutil.Error:
        return False


DOOM = """
import os, signal
_true_grade = _grade

def _grade(task, record):
    if task.submission.student == "doom":
        os.kill(os.getpid(), signal.SIGKILL)
    _true_grade(task, record)
"""
RICH = "\navailable = lambda: 2**40\n"


@pytest.fixture(scope="module")
def deadly(tmp_path_factory) -> Path:
    """A copy of this project whose process is killed when it grades the student called doom."""
    root = tmp_path_factory.mktemp("copy")
    for name in ("grader", "labsupport", "solutions", "notebooks"):
        shutil.copytree(course.ROOT / name, root / name)
    for name, text in (("submission", DOOM), ("memory", RICH)):
        with (root / "grader" / "grade" / f"{name}.py").open("a") as file:
            file.write(text)
    return root


def grade_there(root: Path, *more: str) -> int:
    """Run `grade` of that copy; its exit status."""
    command = [sys.executable, "-m", "grader", "grade", LAB, *more]
    return subprocess.run(command, cwd=root, stdout=subprocess.DEVNULL, timeout=200).returncode


def statuses() -> dict[str, str]:
    return {record.student: record.status for record in journal.records(LAB)}


AFTER = {"ada": "UNREADABLE", "doom": "SET_ASIDE", "eve": "NOT_SUBMITTED"}


def class_with_doom() -> None:
    hand_in("ada", {FILE: b"<html>"})
    hand_in("doom", {FILE: b"<html>"})
    hand_in("eve", {})


@pytest.mark.slow
def test_set_aside_one_after_the_other(deadly):
    """What killed the grader is graded last and in another process, and set aside when that ends too."""
    with another_course():
        class_with_doom()
        assert grade_there(deadly) == -9
        assert statuses() == {"ada": "UNREADABLE"}
        assert grade_there(deadly) == 1
        assert statuses() == AFTER
        record = journal.read(LAB, "doom")
        assert record.reason.startswith("It ended the grader's process twice: look at the notebook by hand; ")
        assert f"grade {LAB} --student doom` tries it again." in record.reason
        written = (journal.folder(LAB) / "doom.json").stat().st_mtime_ns
        assert grade_there(deadly) == 1
        assert (journal.folder(LAB) / "doom.json").stat().st_mtime_ns == written, "it was tried unasked"
        assert grade_there(deadly, "--student", "doom") == 1
        assert (journal.folder(LAB) / "doom.json").stat().st_mtime_ns > written
        assert statuses() == AFTER
        assert not list(journal.folder(LAB).glob("*.underway"))


@pytest.mark.thorough
def test_set_aside_by_workers(deadly, tmp_path):
    """A worker that ends costs one submission only, in the same run; table and report name the status."""
    with another_course():
        class_with_doom()
        assert grade_there(deadly, "--workers", "2", "--cold") == 1
        assert statuses() == AFTER
        row = next(row for row in table.rows(LAB) if row.student == "doom")
        assert (row.status, row.total) == ("SET_ASIDE", None)
        page = report.write(LAB, tmp_path / "report.html").read_text()
        assert "SET_ASIDE" in page and "look at the notebook by hand" in page
