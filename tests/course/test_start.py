"""start.py: does one command lead from an unpacked zip to JupyterLab, and say what stands in the way?"""

import ast
import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import v4

import labsupport
from grader import course

SCRIPT = course.ROOT / "start.py"


@pytest.fixture
def start(tmp_path, monkeypatch):
    """start.py in a folder of its own, nothing installed; what it would run is listed in start.ran."""
    kernels = "labsupport/jupyter/ipython_kernel_config.json"
    (tmp_path / "labsupport" / "jupyter").mkdir(parents=True)
    for name in ("start.py", "pyproject.toml", "constraints.txt", kernels):
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
    monkeypatch.setattr(module, "running", lambda: "")
    monkeypatch.setattr(module, "jupyter", lambda arguments: call(["", "jupyter", *arguments]))
    monkeypatch.setattr(module, "works", lambda: os.path.exists(module.PYTHON))
    return module


@pytest.mark.parametrize(("system", "machine"), [("darwin", "x86_64"), ("win32", "ARM64")])
def test_machines_without_torch(start, system, machine, monkeypatch, capsys):
    """Intel Macs and Windows on ARM read one sentence before anything is made, and no page of pip's."""
    monkeypatch.setattr(start.sys, "platform", system)
    monkeypatch.setattr(start.platform, "machine", lambda: machine)
    assert start.main([]) == 2
    assert start.ran == []
    assert "There is no PyTorch for" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("version", "said"), [("13.7.1", True), ("14.0", False), ("26.1", False), ("", False)]
)
def test_an_old_macos(start, version, said, monkeypatch, capsys):
    """torch has no wheel for it: one sentence, and no page of pip's."""
    monkeypatch.setattr(start.sys, "platform", "darwin")
    monkeypatch.setattr(start.platform, "machine", lambda: "arm64")
    monkeypatch.setattr(start.platform, "mac_ver", lambda: (version, ("", "", ""), "arm64"))
    assert (start.main([]) == 2) == said
    assert (start.ran == []) == said
    assert ("needs macOS 14 or newer, and this is " + version in capsys.readouterr().err) == said


WITH_TORCH = [("darwin", "arm64"), ("win32", "AMD64"), ("linux", "aarch64")]


@pytest.mark.parametrize(("system", "machine"), WITH_TORCH)
def test_machines_with_torch(start, system, machine, monkeypatch):
    monkeypatch.setattr(start.sys, "platform", system)
    monkeypatch.setattr(start.platform, "machine", lambda: machine)
    assert start.without_torch() == ""


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


def test_its_version_installs_nothing(start, tmp_path, capsys):
    """Whoever asks which version this is gets one line, and no download."""
    (tmp_path / "labsupport" / "__init__.py").write_bytes(
        (course.ROOT / "labsupport" / "__init__.py").read_bytes()
    )
    assert start.main(["--version"]) == 0 and not start.ran
    assert capsys.readouterr().out == f"pruning-labs {labsupport.__version__}\n"
    assert start.main(["--help"]) == 0 and not start.ran
    assert capsys.readouterr().out.startswith("From an unpacked folder to a running JupyterLab")


@pytest.mark.lengthy
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


@pytest.mark.parametrize(
    ("system", "machine", "said"), [("linux", "x86_64", True), ("darwin", "arm64", False)]
)
def test_it_says_beforehand_what_it_downloads(start, system, machine, said, monkeypatch, capsys):
    """On Linux torch brings gigabytes of CUDA: it says so, and how to do without, before pip runs."""
    monkeypatch.setattr(start.sys, "platform", system)
    monkeypatch.setattr(start.os, "uname", lambda: ("", "", "", "", machine))
    monkeypatch.setattr(start.platform, "machine", lambda: machine)
    monkeypatch.setattr(start, "watched", lambda _command: (print("pip begins"), (1, False))[1])
    assert start.main([]) == 2
    before = capsys.readouterr().out.split("pip begins")[0]
    assert "GB" in before and "several minutes" in before
    assert ("CUDA" in before and "CPU build" in before and "pytorch.org" in before) == said


OF_A_STUDENT = """
import json
from jupyter_core.paths import jupyter_config_path
from jupyterlab.labapp import LabApp
from jupyterlab_server.config import get_page_config
server = LabApp.initialize_server(argv=["--no-browser", "--port=0", "--allow-root"])
kernels = server.kernel_manager
culled = [kernels.cull_idle_timeout, kernels.cull_interval, kernels.cull_connected]
off = get_page_config([path + "/labconfig" for path in jupyter_config_path()])["disabledExtensions"]
print("ANSWER", json.dumps([culled, off]))
"""


@pytest.mark.lengthy
def test_jupyterlab_takes_a_students_settings(start, tmp_path, monkeypatch):
    """A server of start.py ends idle kernels, and has neither the instructor's tools nor the news."""
    environment = {}
    monkeypatch.setattr(start.subprocess, "Popen", lambda _command, env: environment.update(env) or Ended())
    whole = importlib.util.module_from_spec(start.__spec__)
    start.__spec__.loader.exec_module(whole)
    whole.HERE = str(course.ROOT)
    assert whole.jupyter([]) == 0
    for name in ("CONFIG", "DATA", "RUNTIME"):
        environment["JUPYTER_" + name + "_DIR"] = str(tmp_path / name)
    command = [sys.executable, "-c", OF_A_STUDENT]
    monkeypatch.undo()
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "ANSWER" in done.stdout, done.stderr
    culled, off = json.loads(done.stdout.split("ANSWER", 1)[1])
    assert culled == [1800, 120, False]
    assert {"@jupyter/nbgrader:formgrader", "@jupyter/nbgrader:create-assignment"} <= set(off)
    assert "@jupyterlab/apputils-extension:announcements" in off
    assert "@jupyter/nbgrader:validate-assignment" not in off  # the Validate button stays


class Ended:
    """A server that has ended well."""

    def wait(self) -> int:
        return 0


def test_a_second_start_opens_the_server_that_runs(start, monkeypatch, capsys):
    """No second JupyterLab on the same notebooks."""
    start.main([])
    del start.ran[:]
    opened = []
    monkeypatch.setattr(start.webbrowser, "open", opened.append)
    monkeypatch.setattr(start, "running", lambda: "http://localhost:8888/lab?token=1")
    assert start.main([]) == 0 and opened == ["http://localhost:8888/lab?token=1"]
    assert start.main(["--no-browser"]) == 0 and len(opened) == 1
    assert opened[0] in capsys.readouterr().out
    assert not start.ran


def test_the_lab_of_last_time_is_in_front(start, tmp_path):
    """Lab 00 as unpacked; after that the notebook that was saved last."""
    start.main([])
    installed = os.path.getmtime(start.MARK)
    for lab, seconds in (("00_start_here", -9), ("02_magnitude_pruning", -9), ("04_wanda_pruning", -5)):
        place = tmp_path / "notebooks" / lab / f"{lab}.ipynb"
        place.parent.mkdir(exist_ok=True)
        place.touch()
        os.utime(place, (installed + seconds,) * 2)
    assert start.front() == "/tree/00_start_here/00_start_here.ipynb"
    os.utime(
        tmp_path / "notebooks" / "02_magnitude_pruning" / "02_magnitude_pruning.ipynb", (installed + 9,) * 2
    )
    assert start.front() == "/tree/02_magnitude_pruning/02_magnitude_pruning.ipynb"


def test_a_running_server_is_found(start, monkeypatch):
    """By its folder, among other people's; none where Jupyter answers nothing."""
    servers = [
        {"root_dir": "/elsewhere", "url": "http://localhost:1/", "token": "a"},
        {"root_dir": start.NOTEBOOKS, "url": "http://localhost:2/", "token": "b"},
    ]
    said = [json.dumps(servers).encode(), b"[]", b""]
    running = importlib.util.module_from_spec(start.__spec__)
    start.__spec__.loader.exec_module(running)
    monkeypatch.setattr(running.subprocess, "check_output", lambda *_, **__: said.pop(0))
    assert running.running() == "http://localhost:2/lab/tree/00_start_here/00_start_here.ipynb?token=b"
    assert running.running() == running.running() == ""


@pytest.mark.lengthy
def test_a_download_is_shown_and_silence_is_not(start, monkeypatch, capsys):
    """Megabytes while they arrive, a sign of life while nothing is said."""
    whole = importlib.util.module_from_spec(start.__spec__)
    start.__spec__.loader.exec_module(whole)
    monkeypatch.setattr(whole, "SILENT", 0.2)
    monkeypatch.setattr(whole.sys.stdout, "isatty", lambda: True)
    code = (
        "import time; print('Downloading torch'); print('Progress 1000000 of 900000000');"
        "print('Progress 900000000 of 900000000', flush=True); time.sleep(1.5); print('done')"
    )
    assert whole.watched([sys.executable, "-c", code]) == (0, False)
    said = capsys.readouterr().out
    assert "900 of 900 MB\n" in said and "still working" in said and "Progress" not in said


MISSING = "is not there yet. Choose Run, Run All Above Selected Cell"


@pytest.mark.lengthy
def test_a_kernel_explains_in_one_sentence(monkeypatch, tmp_path):
    """A name that no cell has made yet, before the imports and after, and an interrupt. A slip in a function
    keeps its traceback. Each still ends its cell with an error: Validate takes any other cell for right."""
    expected = {
        "perplexity(model)": f"perplexity {MISSING}",
        "import labsupport\n[model for _ in range(2)]": f"model {MISSING}",
        "def f():\n    return slip\nf()": "Traceback",
        "def written():\n    return [tokenizer for _ in 'ab']\nwritten()": f"tokenizer {MISSING}",
        "def read():\n    return reader.loads('1')\nread()": f"reader {MISSING}",
        "def g():\n    raise KeyboardInterrupt\ng()": "Interrupted in line 2.",
        "from labsupport.linears import Interrupted\nraise Interrupted": "has its weights back",
        "raise NameError('without a name')": "Traceback",
        "model = None\nmodel.parameters()": "model is None. Cells further down put models away",
        "import labsupport.linears\nlabsupport.linears.weights(model)": "model is None.",
        "def no_return(weight):\n    weight > 0\nmask = no_return(1)\nmask.float()": "Traceback",
        "def h():\n    nothing = None\n    return nothing.weight\nh()": "Traceback",
        "guess = None\nguess or [None][0].weight": "Traceback",
    }
    outputs = answers(monkeypatch, tmp_path, "import json as reader, labsupport", list(expected))
    for output, said in zip(outputs, expected.values(), strict=True):
        assert output.output_type == "error", said
        assert said in "\n".join(output.traceback)
        assert said == "Traceback" or len(output.traceback) == 1


@pytest.mark.lengthy
def test_a_kernel_leaves_other_notebooks_alone(monkeypatch, tmp_path):
    """In the same environment, one that is not of this course keeps Python's own words."""
    (output,) = answers(monkeypatch, tmp_path, "import json", ["perplexity(1)"])
    assert "Traceback" in "\n".join(output.traceback) and MISSING not in "\n".join(output.traceback)


def answers(monkeypatch, folder, imports: str, codes: list[str]) -> list:
    """What a kernel of this environment shows, cell by cell, in a notebook with these imports."""
    lab = v4.new_notebook(cells=[v4.new_code_cell(f"{imports}\nmodel, tokenizer = 1, 2")])
    (folder / "lab.ipynb").write_text(nbformat.writes(lab))
    monkeypatch.setenv("JPY_SESSION_NAME", str(folder / "lab.ipynb"))
    notebook = v4.new_notebook(cells=[v4.new_code_cell(code) for code in codes])
    NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=300).execute()
    return [output for cell in notebook.cells for output in cell.outputs]


@pytest.mark.lengthy
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
