"""The progress of a student: does each check stay remembered, and do the points add up?"""

import json
import subprocess
import sys

import pytest

from grader import course
from labsupport import check, standing
from labsupport.__main__ import main
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.verdict import CheckFailed
from labsupport.graded import SOCKET
from tests.wrong_answers import sparsity


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """A folder of this test's own."""
    monkeypatch.setenv("PRUNING_LABS_CACHE", str(tmp_path))
    return tmp_path / "checks"


def row(name: str) -> str:
    """The row of an exercise in the table, without what aligns it."""
    return next(" ".join(line.split()) for line in standing.report().splitlines() if f" {name} " in line)


def test_a_check_is_remembered(capsys):
    """Before, while and after an exercise is right, the table says how it stands; the newest counts."""
    assert row("sparsity") == "00 start here sparsity open 0 of 1"
    with pytest.raises(CheckFailed):
        check.sparsity(sparsity.kept)
    assert row("sparsity") == "00 start here sparsity not yet (2 of 8 parts pass) 0 of 1"
    check.sparsity(sparsity.right_mean)
    assert row("sparsity") == "00 start here sparsity passed 1 of 1"
    with pytest.raises(CheckFailed):
        check.sparsity(sparsity.not_written)
    assert row("sparsity") == "00 start here sparsity not written yet 0 of 1"


def test_a_taken_function_is_named_so(capsys):
    from labsupport import given

    check.sparsity(given.sparsity)
    assert row("sparsity") == "00 start here sparsity given 0 of 1"


def test_every_exercise_and_every_point_is_there(capsys):
    """The points are those of the notebooks, and none is forgotten; the command prints the same."""
    assert main(["progress"]) == 0
    said = capsys.readouterr().out
    assert said.strip() == standing.report().strip()
    cells = [
        cell["metadata"]["nbgrader"]
        for lab in course.labs()
        for cell in json.loads(course.notebook(lab).read_text())["cells"]
        if cell["metadata"].get("nbgrader", {}).get("grade")
    ]
    checks, written = (sum(c["points"] for c in cells if c["solution"] is hand) for hand in (False, True))
    assert f"0 of {checks:g} points so far" in said and f"\n{written:g} more are for written answers" in said
    assert all(f" {name} " in said for name in EXERCISES if f"check_{name}" in {c["grade_id"] for c in cells})
    assert said.rstrip().endswith("Go on with sparsity in lab 00.")
    assert all(len(line) <= 83 for line in said.splitlines())


@pytest.mark.thorough
@pytest.mark.lengthy
def test_two_kernels_at_once(own_folder):
    """Neither loses what the other's check has passed."""
    code = (
        "import sys; from labsupport import check; from tests.wrong_answers import linear_macs, sparsity\n"
        "name, function = sys.argv[1:]\n"
        "for _ in range(20): getattr(check, name)(getattr(globals()[name], function))"
    )
    asked = [("sparsity", "right_mean"), ("linear_macs", "right_product")]
    running = [
        subprocess.Popen([sys.executable, "-c", code, *each], cwd=course.ROOT, stdout=subprocess.DEVNULL)
        for each in asked
    ]
    assert [process.wait() for process in running] == [0, 0]
    assert [standing.last(name).status for name, _ in asked] == ["right", "right"]
    assert sorted(path.name for path in own_folder.iterdir()) == ["linear_macs.json", "sparsity.json"]


def test_nothing_is_written_under_grading(own_folder, monkeypatch):
    monkeypatch.setenv(SOCKET, "somewhere")
    standing.note(check_verdict())
    assert not own_folder.exists()
    assert standing.report() == "Your progress is shown on your machine, not under grading."


def check_verdict():
    from labsupport.check.judge.kit.exercise import taken_openly

    return taken_openly(EXERCISES["sparsity"])


def test_a_judge_that_failed_changes_nothing(capsys):
    """What passed before is not lost by a fault of the course."""
    from labsupport.check.judge.kit.exercise import faulted

    check.sparsity(sparsity.right_mean)
    try:
        raise KeyError("x")
    except KeyError as problem:
        standing.note(faulted(EXERCISES["sparsity"], problem))
    assert standing.last("sparsity").status == "right"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"status": 3}'])
def test_a_damaged_file_is_an_open_exercise(own_folder, text):
    own_folder.mkdir()
    (own_folder / "sparsity.json").write_text(text)
    assert standing.last("sparsity").status == "open"


def test_a_disk_that_refuses_stops_no_check(own_folder, capsys):
    own_folder.write_text("a file where the folder should be")
    check.sparsity(sparsity.right_mean)
    assert "all 8 parts pass" in capsys.readouterr().out


def test_no_notebooks(tmp_path, monkeypatch, capsys):
    """One sentence, and exit code 2."""
    monkeypatch.setattr(standing, "NOTEBOOKS", tmp_path / "none")
    monkeypatch.chdir(tmp_path)
    assert main(["progress"]) == 2
    assert capsys.readouterr().err == f"There are no notebooks in {tmp_path / 'none'}.\n"
    broken = tmp_path / "none" / "02_sample" / "02_sample.ipynb"
    broken.parent.mkdir(parents=True)
    broken.write_text("<html>")
    assert main(["progress"]) == 2
    assert capsys.readouterr().err == f"{broken} cannot be read: is it a notebook?\n"
