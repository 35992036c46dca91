"""nbgrader typed or clicked in the course folder: it runs no student's code, and hands feedback back."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest

from grader import course
from grader.__main__ import main
from grader.author import notebooks
from grader.author.release import release
from grader.grade import journal
from grader.grade.journal import Record
from grader.intake import submitted
from grader.results import gradebook
from grader.status import Status
from labsupport import files
from tests.results.formgrader import serving

LAB = "02_magnitude_pruning"
SINCE = f"ann handed in other work since: run `python -m grader grade {LAB}`"
pytestmark = pytest.mark.lengthy


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A course whose only student leaves a file behind wherever the notebook runs."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    course.prepare()
    notebook = notebooks.solved_notebook(LAB)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(f"open({str(tmp_path / 'RAN')!r}, 'w').close()"))
    hand_in("ann", nbformat.writes(notebook))
    return tmp_path / "course"


def hand_in(student: str, text: str) -> None:
    files.write_whole(course.folder() / "submitted" / student / LAB / f"{LAB}.ipynb", text.encode())


def outside() -> dict[str, str]:
    """A person's environment: it does not name the course."""
    environment = {name: value for name, value in os.environ.items() if name != "PRUNING_LABS_COURSE"}
    return environment | {"PYTHONPATH": "", "JUPYTER_NO_CONFIG": "1"}


def nbgrader(folder: Path, *words: str, installed: bool = True) -> subprocess.CompletedProcess:
    """Run nbgrader as a person would, in the course folder; installed: whether `grader` can be imported.

    A path of PYTHONPATH brings nbgrader and the other packages, but nothing that is installed as editable.
    """
    python = sys.executable if installed else sys._base_executable  # pyright: ignore
    environment = outside() | ({} if installed else {"PYTHONPATH": sysconfig.get_path("purelib")})
    command = [python, "-m", "nbgrader", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_without_the_grader_it_refuses_in_one_sentence(folder, tmp_path):
    """On a hub, another Python than the grader's: nbgrader's defaults would run the class unprotected."""
    own = folder / course.CONFIG.name
    own.write_text(own.read_text().replace(repr(str(course.ROOT)), repr("/nowhere")))
    done = nbgrader(folder, "autograde", LAB, installed=False)
    assert done.returncode == 1 and not (tmp_path / "RAN").exists()
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("Nothing was run: ") and "No module named 'grader'" in sentence
    assert str(Path(sys.executable).with_name("nbgrader")) in sentence


def test_a_slip_in_your_own_settings_refuses_too(folder, tmp_path, capsys):
    """Everywhere: nbgrader prints a traceback and goes on with its defaults, the grader fell over."""
    with (folder / course.OWN).open("a") as own:
        own.write("c.Autograde.force = (\n")
    done = nbgrader(folder, "autograde", LAB)
    assert done.returncode == 1 and not (tmp_path / "RAN").exists()
    assert len(done.stderr.splitlines()) == 1 and "Mend own_config.py" in done.stderr
    assert main(["grades", LAB, "--csv", str(tmp_path / "grades.csv")]) == 2
    assert "Mend own_config.py" in capsys.readouterr().err


def recorded(student: str) -> Record:
    """A record of what the student handed in, without any verdict."""
    found = submitted.of(student, LAB)
    record = Record(student, LAB, found.digest, "v", Status.GRADED, submitted_at=found.submitted_at)
    notebook = nbformat.read(course.folder() / "release" / LAB / f"{LAB}.ipynb", as_version=4)
    record.notebook = nbformat.writes(notebook)
    journal.write(record)
    return record


@pytest.mark.thorough
def test_work_handed_in_since_is_not_called_a_success(folder, tmp_path):
    """The lightning bolt gave the verdicts on the older submission for the new one."""
    release([LAB])
    recorded("ann")
    assert nbgrader(folder, "autograde", LAB).returncode == 0
    hand_in("ann", nbformat.writes(notebooks.solved_notebook(LAB)))
    entered = folder / "autograded" / "ann" / LAB / f"{LAB}.ipynb"
    before = entered.read_bytes()
    for words in (("--force",), ()):
        done = nbgrader(folder, "autograde", LAB, *words)
        assert done.returncode == 1 and not (tmp_path / "RAN").exists()
        assert one_error(done.stderr) == SINCE
        assert entered.read_bytes() == before


def one_error(text: str) -> str:
    """The one error of a log in which nothing else is louder than information."""
    (line,) = [line for line in text.splitlines() if "INFO" not in line]
    return line.partition("ERROR] ")[2]


@pytest.mark.thorough
def test_each_student_without_verdicts_is_named_and_the_others_are_entered(folder):
    """For a class of three: one graded, one not, one whose work could not be read."""
    release([LAB])
    recorded("ann")
    hand_in("ben", nbformat.writes(notebooks.solved_notebook(LAB)))
    hand_in("cem", "no notebook")
    cem = submitted.of("cem", LAB)
    journal.write(Record("cem", LAB, cem.digest, "v", Status.UNREADABLE, cem.reason))
    done = nbgrader(folder, "autograde", LAB)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    ben, cems = done.stderr.splitlines()[-2:]
    assert ben.endswith(f"ben has no verdicts: run `python -m grader grade {LAB}`")
    assert f"cem has no verdicts (UNREADABLE: {cem.reason[:20]}" in cems
    assert gradebook.students(LAB).keys() == {"ann"}


@pytest.mark.thorough
def test_formgraders_button_shows_the_sentence_alone(folder, tmp_path):
    """Its window has the log, and below it a traceback where the answer has one."""
    release([LAB])
    with serving(folder, tmp_path / "runtime", outside()) as ask:
        click = f"submission/{LAB}/ann/autograde"
        shown = ask(click, method="POST")
        assert not shown["success"] and "error" not in shown
        assert one_error(shown["log"]) == f"ann has no verdicts: run `python -m grader grade {LAB}`"
        recorded("ann")
        assert ask(click, method="POST")["success"]
        hand_in("ann", nbformat.writes(notebooks.solved_notebook(LAB)))
        shown = ask(click, method="POST")
        assert not shown["success"] and "error" not in shown
        assert shown["log"].strip() == f"[ERROR] {SINCE}"
    assert (folder / "autograded" / "ann" / LAB / f"{LAB}.ipynb").exists()
    assert not (tmp_path / "RAN").exists()


@pytest.mark.thorough
def test_feedback_goes_back_through_the_exchange(folder, tmp_path):
    """From nbgrader's release to its fetch_feedback; work that came by mail does not stop the release."""
    exchange, home = tmp_path / "exchange", tmp_path / "home"
    exchange.mkdir()
    exchange.chmod(0o777)
    home.mkdir()
    places = (f"--Exchange.root={exchange}", f"--Exchange.cache={tmp_path / 'cache'}")

    def at(place: Path, *words: str) -> None:
        done = nbgrader(place, *words, "--course=pruning-labs", "--assignment", LAB, *places)
        assert done.returncode == 0, done.stderr

    release([LAB])
    at(folder, "release_assignment")
    at(home, "fetch_assignment")
    at(home, "submit")
    inbound = exchange / "pruning-labs" / "inbound"
    assert main(["collect", LAB, str(inbound)]) == 0
    (handed,) = inbound.iterdir()
    student = handed.name.split("+")[0]
    gradebook.hand_over(LAB, [recorded("ann"), recorded(student)])
    gradebook.feedback(LAB)
    at(folder, "release_feedback")
    at(home, "fetch_feedback")
    (page,) = home.rglob("feedback/*/*.html")
    assert page.read_text() == (folder / "feedback" / student / LAB / f"{LAB}.html").read_text()


def test_settings_of_a_checkout_that_is_gone(tmp_path, monkeypatch):
    """They name this one at the next command; those of a checkout that is there, and edited ones, stay."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    settings = course.prepare() / course.CONFIG.name
    fresh = settings.read_text()
    for place, stays in (("/gone", False), (str(tmp_path), True)):
        settings.write_text(fresh.replace(repr(str(course.PACKAGES)), repr(place)))
        course.prepare()
        assert (settings.read_text() != fresh) == stays
    settings.write_text(edited := fresh.replace(repr(str(course.PACKAGES)), "'/gone'") + "# mine\n")
    course.prepare()
    assert settings.read_text() == edited
