"""What students get, and what they must not get."""

import importlib
import io
import re
import sys
import tomllib
import zipfile

import pytest

from grader import course
from grader.__main__ import main
from grader.author.release import students_zip

INSTALLS = {"start.py", "environment.yml", "pyproject.toml", "constraints.txt"}
INSTALLS |= {"README.md", "LICENSE", "LICENSE-TEXTS", "nbgrader_config.py"}
ALLOWED = {"labs", "labsupport"} | INSTALLS


@pytest.fixture(scope="module")
def archive():
    return zipfile.ZipFile(io.BytesIO(students_zip(course.labs())))


@pytest.mark.lengthy
def test_everything_a_student_needs(archive):
    """Notebooks, what they import, and what installs them."""
    names = {name.removeprefix("pruning-labs/") for name in archive.namelist()}
    assert names >= INSTALLS
    assert {f"labs/{lab}/{lab}.ipynb" for lab in course.labs()} <= names
    packages = course.ROOT / "labsupport"
    files = [path for path in packages.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    support = {f"labsupport/{path.relative_to(packages)}" for path in files}
    assert support <= names
    assert any(name.endswith(".yaml") for name in names)  # lab 07 reads its task from one


@pytest.mark.lengthy
def test_nothing_that_grades(archive):
    """No solutions, no grader, no tests, no seed; all in one folder, no link, no absolute path."""
    for info in archive.infolist():
        folder, _, rest = info.filename.partition("/")
        assert folder == "pruning-labs"
        assert rest.split("/")[0] in ALLOWED
        assert b"### BEGIN SOLUTION" not in archive.read(info)


def test_the_project_file_works_without_the_grader(archive):
    """pyproject.toml finds the packages that are there, and names no file that is not."""
    project = tomllib.loads(archive.read("pruning-labs/pyproject.toml").decode())
    assert project["tool"]["setuptools"]["packages"]["find"]["include"] == ["labsupport*", "grader*"]
    assert f"pruning-labs/{project['project']['readme']}" in archive.namelist()
    (settings,) = project["tool"]["setuptools"]["data-files"]["etc/jupyter"]  # Validate's patience on a hub
    assert b"iopub_timeout" in archive.read(f"pruning-labs/{settings}")


def test_the_readme_names_what_is_there(archive):
    """Every file and command of the zip's README exists in the zip."""
    said = archive.read("pruning-labs/README.md").decode()
    for name in ("start.py", "environment.yml"):
        assert name in said and f"pruning-labs/{name}" in archive.namelist()
    commands = archive.read("pruning-labs/labsupport/__main__.py").decode()
    for command in re.findall(r"-m labsupport (\w+)", said):
        assert f'command("{command}"' in commands


def test_same_bytes_again():
    """The same course gives the same zip, so students can see that nothing changed."""
    assert students_zip(course.labs()[:1]) == students_zip(course.labs()[:1])


@pytest.mark.lengthy
def test_the_command(tmp_path, monkeypatch, capsys):
    """`release 02` writes the zip and enters the lab; an unknown lab is one sentence and a 2."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    assert main(["release", "02"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "students.zip")
    assert (tmp_path / "gradebook.db").exists()
    assert main(["release", "99"]) == 2
    assert "Known: 00_start_here" in capsys.readouterr().err


def test_a_mended_lab_leaves_later_ones_running(tmp_path, monkeypatch):
    """Lab 01 handed out again after lab 02 brings what 02 imports: it lies in the same folder at home."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))

    def released(lab: str) -> dict[str, bytes]:
        assert main(["release", lab]) == 0
        with zipfile.ZipFile(tmp_path / "students.zip") as zipped:
            return {name: zipped.read(name) for name in zipped.namelist() if "/labs/" not in name}

    first, second = released("01"), released("02")
    assert first != second and released("01") == second


def test_a_later_zip_over_an_older_one_loses_no_work(tmp_path, monkeypatch):
    """A week later: `unzip -o` in the same place brings the next lab, and nothing that was written goes."""
    yours = tmp_path / "pruning-labs" / "notebooks"
    for labs, here in (([0], ["00"]), ([0, 1], ["00", "01"])):
        files = students_zip([course.labs()[number] for number in labs])
        zipfile.ZipFile(io.BytesIO(files)).extractall(tmp_path)
        monkeypatch.syspath_prepend(str(tmp_path / "pruning-labs"))
        monkeypatch.delitem(sys.modules, "start", raising=False)
        importlib.import_module("start").lay_out()
        assert [path.name[:2] for path in sorted(yours.glob("*/*"))] == here
        if here == ["00"]:
            (lab,) = yours.glob("00*/*.ipynb")
            lab.write_text("a week's work")
    assert lab.read_text() == "a week's work"
