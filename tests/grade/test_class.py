"""A class is graded whole: killed, locked out or out of disk, nothing is lost and nothing graded twice."""

import dataclasses
import errno
import os
import random
import sqlite3
import subprocess
import sys

import nbformat
import pytest

from grader import course
from grader.__main__ import main
from grader.author.release import release
from grader.grade import class_run, journal
from grader.intake import submitted
from grader.results import gradebook, report, table
from labsupport.check.judge import EXERCISES
from labsupport.errors import LabError
from tests.grade.test_hostile import hand_in, right_answers
from tests.hostile.submissions import FILE, LAB, find, with_source

pytestmark = pytest.mark.alone


def without_imports() -> nbformat.NotebookNode:
    """A submission that is graded fast: its cells fail before torch is imported."""
    notebook = right_answers()
    notebook.cells = notebook.cells[1:]
    return notebook


def as_file(notebook) -> dict[str, bytes]:
    return {FILE: nbformat.writes(notebook).encode()}


def small_class() -> None:
    hand_in("ada", as_file(right_answers()))
    for student in ("ben", "cem", "dora"):
        hand_in(student, as_file(without_imports()))
    hand_in("eve", {FILE: b"<html>"})
    hand_in("fay", {})


def outcome() -> dict:
    """What came out, without what depends on the clock."""
    kept = ("status", "reason", "cell", "flags", "verdicts", "submission", "version", "earlier")
    return {record.student: {name: getattr(record, name) for name in kept} for record in journal.records(LAB)}


def grade_until(seconds: float | None) -> int | None:
    """Run `python -m grader grade` and kill it after some seconds, or let it end; its exit status."""
    run = subprocess.Popen(
        [sys.executable, "-m", "grader", "grade", LAB], cwd=course.ROOT, stdout=subprocess.DEVNULL
    )
    try:
        return run.wait(seconds)
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()
        return None


@pytest.mark.slow
def test_killed_ten_times(empty_course, tmp_path, monkeypatch):
    """Killed at ten random moments and started again, the class ends as if nothing had happened."""
    small_class()
    chance = random.Random(7)
    for _ in range(10):
        grade_until(chance.uniform(0.5, 14))
    written = {path: path.stat().st_mtime_ns for path in journal.folder(LAB).glob("*.json")}
    assert grade_until(None) == 1  # eve and fay ended otherwise
    for path, moment in written.items():
        assert path.stat().st_mtime_ns == moment, f"{path.stem} was graded twice"
    disturbed, booked = outcome(), gradebook.students(LAB)
    seed = (empty_course / "seed").read_text()

    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "quiet"))
    (tmp_path / "quiet").mkdir()
    (tmp_path / "quiet" / "seed").write_text(seed)
    release([LAB])
    small_class()
    assert grade_until(None) == 1
    assert outcome() == disturbed
    assert gradebook.students(LAB) == booked
    assert not list(journal.folder(LAB).glob("*.part"))


def test_second_run_does_nothing(empty_course, monkeypatch):
    """What is settled is not graded again; what changed is, and only that."""
    hand_in("ben", as_file(without_imports()))
    hand_in("eve", {FILE: b""})
    assert main(["grade", LAB]) == 1
    graded = []
    true_grade = class_run.grade
    monkeypatch.setattr(
        class_run, "grade", lambda task: graded.append(task.submission.student) or true_grade(task)
    )
    assert main(["grade", LAB]) == 1
    assert graded == []
    (course.folder() / "submitted" / "eve" / LAB / FILE).write_bytes(b"[]")
    assert main(["grade", LAB]) == 1
    assert graded == ["eve"]


def test_resubmission_that_crashes(empty_course):
    """The record says which submission each score is from, and what the one before it had earned."""
    hand_in("ada", as_file(right_answers()))
    assert main(["grade", LAB]) == 0
    first = journal.read(LAB, "ada")
    assert first.score() == first.points() == 10
    files = with_source(right_answers(), "prune_magnitude", "import os; os._exit(1)")
    (course.folder() / "submitted" / "ada" / LAB / FILE).write_bytes(files[FILE])
    assert main(["grade", LAB]) == 1
    second = journal.read(LAB, "ada")
    assert second.status == "KERNEL_DIED"
    assert second.score() == 5
    assert {verdict.submission for verdict in second.verdicts.values()} == {second.submission}
    assert second.earlier[-1].submission == first.submission
    assert second.earlier[-1].score == 10
    assert gradebook.students(LAB)["ada"].score == 5


def test_gradebook_locked(empty_course, capsys):
    """A locked gradebook gives a sentence and a 2; the journal keeps all, and the next run enters it."""
    hand_in("ben", as_file(without_imports()))
    with sqlite3.connect(empty_course / "gradebook.db") as other:
        other.execute("BEGIN EXCLUSIVE")
        assert main(["grade", LAB]) == 2
        other.rollback()
    assert "gradebook" in capsys.readouterr().err
    assert journal.read(LAB, "ben").status == "GRADED"
    assert main(["grade", LAB]) == 0
    assert "ben" in gradebook.students(LAB)


def test_disk_full(empty_course, monkeypatch, capsys):
    """A record that cannot be written costs no other one, and leaves no half behind."""
    hand_in("ben", {FILE: b""})
    hand_in("cem", {FILE: b""})
    true_fsync, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        true_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    assert main(["grade", LAB]) == 2
    assert "No space left" in capsys.readouterr().err
    assert [record.student for record in journal.records(LAB)] == ["ben"]
    assert {path.name for path in journal.folder(LAB).iterdir()} == {"ben.json", "graded_with"}
    monkeypatch.undo()


def test_grader_error_is_nobodys_zero(empty_course, monkeypatch):
    """A fault of the grader ends as GRADER_ERROR without a score, and is graded again the next time."""
    monkeypatch.setattr("grader.grade.submission.run_notebook", lambda *_: 1 / 0)
    hand_in("ben", as_file(without_imports()))
    assert main(["grade", LAB]) == 1
    record = journal.read(LAB, "ben")
    assert record.status == "GRADER_ERROR"
    assert not record.verdicts
    assert "ben" not in gradebook.students(LAB)
    assert not journal.settled(record, record.submission, record.version)


def test_a_judge_that_fails_costs_one_exercise(empty_course, monkeypatch, capsys):
    """The other exercises keep their scores, the failed one is an empty cell, and `grade` names it."""
    name = "prune_magnitude"
    broken = dataclasses.replace(EXERCISES[name], parts=lambda _inputs, _answer: 1 / 0)
    hand_in("ada", as_file(right_answers()))
    with monkeypatch.context() as patch:
        patch.setattr(f"labsupport.check.judge.lab02.{name}.EXERCISE", broken)
        assert main(["grade", LAB]) == 1
    said = capsys.readouterr().out
    assert "PARTLY_GRADED" in said and f"{name}, the judge failed with ZeroDivisionError" in said
    record = journal.read(LAB, "ada")
    assert [each.status for each in record.verdicts.values() if each.points] == ["right", "fault", "right"]
    row = dict(zip(table.columns(LAB), table.lines(LAB)[1], strict=True))
    assert (row["magnitude_mask"], row[name], row["total"], row["status"]) == ("5", "", "6", "PARTLY_GRADED")
    assert gradebook.students(LAB)["ada"].needs_manual_grade
    page = report.write(LAB, course.folder() / "report.html").read_text()
    assert "the check failed, not the student" in page
    assert main(["grade", LAB]) == 0  # asked again
    assert journal.read(LAB, "ada").score() == 10


def test_manual_grades_survive(empty_course):
    """What a person gave for a written answer is still there after the class is graded again."""
    notebook = right_answers()
    hand_in("ada", as_file(notebook))
    assert main(["grade", LAB]) == 0
    from nbgrader.api import Gradebook

    with Gradebook(course.gradebook_url(), "pruning-labs") as book:
        grade = book.find_grade("magnitude_reflection", LAB, LAB, "ada")
        assert grade.needs_manual_grade
        grade.manual_score = 2.5
        book.db.commit()
    find(notebook, "magnitude_mask").source += "\n# another try\n"
    (course.folder() / "submitted" / "ada" / LAB / FILE).write_bytes(as_file(notebook)[FILE])
    assert main(["grade", LAB]) == 0
    assert gradebook.students(LAB)["ada"].score == 12.5


def test_bad_words(empty_course, capsys):
    """Unknown labs, students and empty classes are one sentence and a 2."""
    for words in (["grade", "77"], ["grade", LAB], ["grade", LAB, "--student", "nobody"], ["feedback", LAB]):
        assert main(words) == 2
        said = capsys.readouterr().err.strip()
        assert said
        assert "\n" not in said
    with pytest.raises(SystemExit):
        main(["grade", LAB, "--workers", "0"])


def test_unsafe_names_are_not_entered(empty_course):
    """A folder whose name is no student id stops nobody: it is left out of the class."""
    hand_in("ben", {FILE: b""})
    (empty_course / "submitted" / ".hidden" / LAB).mkdir(parents=True)
    assert [each.student for each in submitted.submissions(LAB)] == ["ben"]


def test_missing_release(tmp_path, monkeypatch):
    """Grading before releasing says what to run."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "nothing"))
    with pytest.raises(LabError, match="release"):
        class_run.grade_class(LAB)
