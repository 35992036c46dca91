"""start.py: does one command lead from an unpacked zip to JupyterLab, and say what stands in the way?"""

import ast
import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from grader import course

SCRIPT = course.ROOT / "start.py"


@pytest.fixture
def start(tmp_path, monkeypatch):
    """start.py in a folder of its own, nothing installed; what it would run is listed in start.ran."""
    for name in ("start.py", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((course.ROOT / name).read_bytes())
    (tmp_path / "notebooks" / "00_start_here").mkdir(parents=True)
    (tmp_path / "notebooks" / ".ipynb_checkpoints").mkdir()
    spec = importlib.util.spec_from_file_location("start", tmp_path / "start.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ran = []
    monkeypatch.chdir(tmp_path)

    def call(command, **_options) -> int:
        module.ran.append(" ".join(command[1:]))
        if "venv" in command:
            Path(module.PYTHON).parent.mkdir(parents=True)
            Path(module.PYTHON).touch()
        return 0

    def watched(command):
        return call(command), False

    monkeypatch.setattr(module.subprocess, "call", call)
    monkeypatch.setattr(module, "watched", watched)
    monkeypatch.setattr(module, "jupyter", lambda arguments: call(["", "jupyter", *arguments]))
    monkeypatch.setattr(module, "works", lambda: os.path.exists(module.PYTHON))
    return module


def test_everything_in_order_and_once(start):
    """Environment, packages, model, JupyterLab; the next day only the last two."""
    assert start.main(["--no-browser"]) == 0
    steps = ["venv", "constraints.txt pip", "--editable .", "fetch", "jupyter --no-browser"]
    assert len(start.ran) == len(steps)
    assert all(step in command for step, command in zip(steps, start.ran, strict=True))
    del start.ran[:]
    assert start.main([]) == 0
    assert start.ran == ["-m labsupport fetch", "jupyter"]


def test_an_interrupted_installation_goes_on(start, monkeypatch):
    """The environment that is there is kept; the packages are asked for again."""
    monkeypatch.setattr(start, "watched", lambda _command: (1, False))
    assert start.main([]) == 2
    monkeypatch.undo()
    assert Path(start.PYTHON).exists() and not start.installed()


def test_a_newer_zip_is_installed_anew(start, tmp_path):
    """Who unpacks a new version over the old one gets its packages."""
    start.main([])
    with (tmp_path / "constraints.txt").open("a") as constraints:
        constraints.write("another==1.0\n")
    del start.ran[:]
    start.main([])
    assert any("--editable" in command for command in start.ran)
    assert not any("venv" in command for command in start.ran)


def test_jupyterlab_opens_without_the_model(start, monkeypatch, capsys):
    """No model is no reason to see nothing: lab 00 needs none."""
    start.main([])
    call = start.subprocess.call
    monkeypatch.setattr(start.subprocess, "call", lambda command: int("fetch" in command) or call(command))
    assert start.main([]) == 0
    assert "run this again" in capsys.readouterr().out
    assert start.ran[-1] == "jupyter"


@pytest.mark.parametrize("version", [(3, 8, 10), (3, 10, 19), (3, 14, 1), (3, 15, 0)])
def test_a_python_too_old_or_too_new_is_told(start, monkeypatch, capsys, version):
    """One sentence that says which Python this is and which is needed; nothing is made."""
    monkeypatch.setattr(start.sys, "version_info", (*version, "final", 0))
    assert start.main([]) == 2
    this = ".".join(map(str, version))
    assert capsys.readouterr().err == f"The labs need Python 3.11 to 3.14 (not 3.14.1), and this is {this}.\n"
    assert not start.ran


def test_an_old_python_can_read_it():
    """A Python too old must be able to say so: no syntax that it does not know."""
    tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 4))
    for node in ast.walk(tree):
        assert not isinstance(node, ast.JoinedStr | ast.AnnAssign | ast.NamedExpr)
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None and all(each.annotation is None for each in node.args.args)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
            assert not node.keywords
    asked = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert asked <= sys.stdlib_module_names
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree))


def test_its_pythons_are_the_projects(start):
    """The versions in the sentence are those that pip would insist on, and those that make names."""
    oldest, newest, broken = start.OLDEST, start.NEWEST, start.BROKEN
    says = tomllib.loads((course.ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert says == f">=3.{oldest[1]},!={'.'.join(map(str, broken))},<3.{newest[1] + 1}"
    makes = (course.ROOT / "Makefile").read_text()
    assert f"if not {oldest} <= v[:2] <= {newest} or v[:3] == {broken} else 0" in makes


def test_without_a_network(start, tmp_path):
    """A real run on a machine that is offline: the last line is one sentence on the network, exit code 2."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environment |= {
        "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "start.py"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr == (
        "The packages cannot be downloaded: is this machine online? Run this again when it is.\n"
    )
    assert not (tmp_path / ".venv" / "started").exists()


def test_jupyterlab_takes_its_options(tmp_path):
    """Options after start.py reach JupyterLab: here it only says its version."""
    (tmp_path / "notebooks" / "00_start_here").mkdir(parents=True)
    code = (
        "import importlib.util, os, sys; spec = importlib.util.spec_from_file_location('start', sys.argv[1]);"
        "start = importlib.util.module_from_spec(spec); spec.loader.exec_module(start);"
        "start.PYTHON, start.HERE = sys.executable, os.getcwd(); sys.exit(start.jupyter(['--version']))"
    )
    command = [sys.executable, "-c", code, str(SCRIPT)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout[0].isdigit()
