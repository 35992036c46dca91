"""Somebody at a terminal always sees what a command of more than two seconds is doing."""

import pytest

from grader.__main__ import main
from grader.grade import class_run
from grader.results.similarity import programs
from labsupport.errors import LabError
from tests.results.test_gradebook import LAB


@pytest.fixture(autouse=True)
def watched(monkeypatch):
    """A terminal."""
    monkeypatch.setattr("labsupport.progress.nobody_watches", lambda: False)


@pytest.mark.parametrize(
    "command",
    [
        ["grade", "03"],
        ["regrade", "03"],
        ["report", "03"],
        ["feedback", "03"],
        ["build", "99"],
        ["release", "99"],
        ["collect", "03", "nowhere.zip"],
        ["watch", "03", "nowhere"],
        ["extensions", "03", "nowhere.csv"],
        ["teams", "03", "nowhere.csv"],
        ["essays", "03", "--to", "nobody"],
        ["grades", "03", "--csv", "grades.csv"],
        ["forget", "nobody"],
        ["archive", "course.zip"],
        ["unarchive", "nowhere.zip", "new"],
    ],
    ids=" ".join,
)
def test_loading_is_said(tmp_path, monkeypatch, capsys, command):
    """Torch, transformers and nbgrader take seconds before the first bar, on a busy machine minutes."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    main(command)
    assert capsys.readouterr().out.startswith("\rloading the libraries ...")


def test_asking_one_function_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("grader.grade.try_function.run_command", lambda *_: 1 / 0)
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    (tmp_path / "f.py").write_text("")
    with pytest.raises(ZeroDivisionError):
        main(["try", "sparsity", str(tmp_path / "f.py")])
    assert "asking sparsity ..." in capsys.readouterr().out


def test_the_bar_of_a_class_is_there_while_the_zygote_loads(folder, monkeypatch, capsys):
    """It takes as long as some submissions."""
    for student in ("ann", "bob"):
        place = folder / "submitted" / student / LAB
        place.mkdir(parents=True)
        (place / f"{LAB}.ipynb").write_text("{}")

    def ready(_):
        raise LabError(capsys.readouterr().out)

    monkeypatch.setattr(class_run.zygote_client.zygote, "ready", ready)
    monkeypatch.setattr(class_run.local_pool, "affordable", lambda wanted: wanted)
    with pytest.raises(LabError, match=f"grading {LAB}: +0%.*0/2"):
        class_run.grade_class(LAB, workers=2)


def test_the_courses_own_functions_are_a_bar_too(monkeypatch):
    """They take a report of any class some seconds."""
    said = []
    monkeypatch.setattr(programs, "bar", lambda steps, what, **_: said.append(what) or [])
    programs.course_functions.__wrapped__()
    assert said == ["reading the course's own functions"]
