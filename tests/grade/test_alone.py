"""Two people grade one course at once: the second is told who is at it, and nothing is graded twice."""

import os
import subprocess
import sys

import pytest

from grader.__main__ import main
from grader.grade.alone import alone
from labsupport.errors import LabError

LAB = "02_magnitude_pruning"
HOLD = (
    f"from grader.grade.alone import alone\nwith alone({LAB!r}):\n    print('held', flush=True)\n    input()"
)


def test_a_second_grade_says_who_is_at_it(tmp_path, monkeypatch, capsys):
    """With the other's lab and process; one that was killed stands in nobody's way."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLD], **pipes, env=os.environ) as other:
        assert other.stdout.readline() == b"held\n"
        assert main(["grade", "03"]) == 2
        said = capsys.readouterr().err
        assert f"being graded already ({LAB}, process {other.pid} on " in said
        other.kill()
    assert main(["grade", "03"]) == 2
    assert "There is no release of 03" in capsys.readouterr().err


def test_teams_that_are_refused_meanwhile_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    (tmp_path / "teams.csv").write_text("student_id,team\nann,1\n")
    with alone(LAB):
        assert main(["teams", LAB, str(tmp_path / "teams.csv")]) == 2
    assert not (tmp_path / "teams").exists()


def test_an_error_of_the_grading_itself_stays_what_it_is(tmp_path, monkeypatch):
    """Afterwards the course is free."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    with pytest.raises(OSError, match="full"), alone(LAB):
        raise OSError("full")
    with alone(LAB), pytest.raises(LabError, match="being graded already"), alone(LAB):
        pass


def test_a_lock_of_another_user_is_named(tmp_path, monkeypatch, capsys):
    """Two assistants on one machine: the second is told whose file it is."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    lock = tmp_path / ".grading.lock"

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied", str(lock))

    monkeypatch.setattr("grader.grade.alone.FileLock.acquire", refused)
    monkeypatch.setattr("grader.grade.alone.cache.keeper", lambda path: {lock: "ada"}[path])
    assert main(["grade", "03"]) == 2
    assert f"{tmp_path} cannot be written: {lock} belongs to ada." in capsys.readouterr().err
