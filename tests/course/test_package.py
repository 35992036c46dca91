"""The project as a package: labsupport alone is enough for a student's kernel, the extra for a course."""

import ast
import importlib.metadata
import io
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from packaging.utils import canonicalize_name

from benchmarks import __main__ as benchmarks
from grader import __main__ as grader_commands
from grader import archive, course
from grader.author import notebooks
from grader.author.release import BESIDE, students_zip
from labsupport import __main__ as commands
from labsupport import __version__
from tests.course import bare
from tests.course.test_contributing import LEFT_OUT

ON_ITS_OWN = {"labsupport/checking.py"}  # `labsupport check` runs a notebook as Validate does
NOT_TYPED = {"labsupport/check/ask/function.py"}  # the grader starts it in its sandbox
LATER = {"distributed", "openvino_genai"}  # `grade --scheduler` and lab 11 say what to install
TINY = {"PRUNING_LABS_MODEL": "tiny", "OMP_NUM_THREADS": "1"}


def imported(folder: str, without: set[str] = frozenset()) -> set[str]:
    """The packages of others that the files of a folder import anywhere."""
    found = set()
    for path in sorted((course.ROOT / folder).rglob("*.py")):
        if str(path.relative_to(course.ROOT)) in without:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add((node.module or "").partition(".")[0])
    return found - sys.stdlib_module_names - {"labsupport", "grader", "runner"}


def missing(modules: set[str], names: set[str]) -> list[str]:
    """The modules that no distribution of these names brings."""
    homes = importlib.metadata.packages_distributions()
    brought = {module for module in homes if {canonicalize_name(name) for name in homes[module]} & names}
    return sorted(modules - brought)


@pytest.mark.lengthy
def test_labsupport_alone_is_light():
    """A student's kernel, Colab or a hub installs what the notebooks import; no JupyterLab, no nbgrader."""
    light = bare.closure()
    assert not missing((imported("labsupport", ON_ITS_OWN) | imported("solutions")) - LATER, light)
    assert not light & {"jupyterlab", "nbgrader", "notebook", "nbconvert", "sqlalchemy", "jupytext"}


@pytest.mark.lengthy
def test_the_extra_is_enough_for_a_course():
    """Whoever installs `pruning-labs[course]` has all that the grader and `labsupport check` import."""
    assert not missing((imported("labsupport") | imported("grader")) - LATER, bare.closure("course"))


def test_a_wheel_holds_what_a_course_is_made_from():
    """`release` and `archive` find every file that they take from beside the packages."""
    text = (course.ROOT / "setup.py").read_text(encoding="utf-8")
    named = set(re.findall(r'"([\w.*/-]+)"', text))
    assert {*BESIDE, *archive.BESIDE, "solutions/*.py", "notebooks/*/*.ipynb"} <= named
    given = tomllib.loads((course.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    config = "labsupport/jupyter/ipython_kernel_config.json"
    assert config in given["tool"]["setuptools"]["data-files"]["etc/ipython"]


@pytest.mark.parametrize("main", [commands.main, grader_commands.main, benchmarks.main])
def test_the_version(main, capsys):
    """`--version` says the one that is cited."""
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert not end.value.code and capsys.readouterr().out == f"pruning-labs {__version__}\n"
    assert f"\nversion: {__version__}\n" in (course.ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_every_command_says_its_version():
    """What a docstring tells a person to type answers to `--version`, and not with a traceback."""
    skipped = {".venv", "build", "tests", "course"}
    named = {}
    for path in sorted(course.ROOT.rglob("*.py")):
        if not skipped & set(path.relative_to(course.ROOT).parts):
            text = path.read_text(encoding="utf-8")
            name = str(path.relative_to(course.ROOT))
            typed = re.search("`python3? (-m )?[a-z]", text.partition("import ")[0])
            if typed and '__name__ == "__main__"' in text and name not in NOT_TYPED:
                named[name] = "--version" in text
    assert len(named) > 5 and all(named.values()), named


def test_binder_installs_labsupport_alone():
    """At the versions of the course; the image holds the model."""
    lines = (course.ROOT / ".binder" / "requirements.txt").read_text().splitlines()
    assert lines == ["--constraint ../constraints.txt", "ipykernel", "."]
    assert "python -m labsupport fetch" in (course.ROOT / ".binder" / "postBuild").read_text()


def test_a_notebook_for_colab_installs_labsupport_alone(monkeypatch):
    """Its first cell says what docs/colab.md says, and installs no extra; the rest is the students' lab."""
    monkeypatch.syspath_prepend(str(course.ROOT / "site"))
    import colab

    for lab in course.labs():
        handed_out = nbformat.read(course.notebook(lab), as_version=4)
        first, *rest = nbformat.reads(colab.opening(lab).decode(), as_version=4).cells
        assert rest == handed_out.cells and first.source == colab.INSTALL and not first.metadata
    command = colab.INSTALL.splitlines()[-1]
    assert f"    {command}\n" in (course.ROOT / "docs" / "colab.md").read_text() and "[" not in command


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the sdist, and the wheel that is made from it."""
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(course.ROOT, folder / "project", ignore=LEFT_OUT)
    uv = Path(sys.executable).with_name("uv")
    build = [uv, "build", "--quiet", "--offline", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*build, "--out-dir", folder, folder / "project"], check=True)
    return folder


def wheel(built: Path) -> Path:
    (found,) = built.glob(f"pruning_labs-{__version__}-*.whl")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("form", ["wheel", "sdist"])
def test_labsupport_from_a_package(built, tmp_path, form):
    """In an empty environment, without the rest: what is there works, what is not says what to install."""
    python = bare.environment(tmp_path / "venv", bare.closure())
    bare.install(python, wheel(built) if form == "wheel" else built / f"pruning_labs-{__version__}.tar.gz")
    for words, said in {
        "labsupport --version": f"pruning-labs {__version__}",
        "grader --version": f"pruning-labs {__version__}",
        "labsupport doctor": "lab, checks and all",
        "labsupport plan tiny --ratio 0.5": "parameters",
    }.items():
        done = bare.run(python, words, tmp_path, **TINY)
        assert done.returncode == 0 and said in done.stdout, (words, done.stdout, done.stderr)
    assert (tmp_path / "venv" / "etc" / "ipython" / "ipython_kernel_config.json").is_file()
    for words in ("labsupport check lab.ipynb", "grader release"):
        done = bare.run(python, words, tmp_path)
        (sentence,) = done.stderr.splitlines()
        assert done.returncode == 2 and "pip install 'pruning-labs[course]'" in sentence


@pytest.mark.slow
def test_release_from_a_wheel(built, tmp_path):
    """An instructor without a checkout, in an empty folder: the students' zip is the same, byte for byte."""
    python = bare.environment(tmp_path / "venv", bare.closure("course"))
    bare.install(python, wheel(built))
    (tmp_path / "here").mkdir()
    done = bare.run(python, "grader release", tmp_path / "here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "here" / "course" / "students.zip")
    assert Path(done.stdout.strip()).read_bytes() == students_zip(course.labs())


@pytest.mark.slow
def test_a_lab_on_colab(tmp_path):
    """As docs/colab.md says: a kernel where the students' zip is unpacked and labsupport alone installed."""
    zipfile.ZipFile(io.BytesIO(students_zip(course.labs()))).extractall(tmp_path)
    python = bare.environment(tmp_path / "venv", bare.closure(more=("ipykernel",)))
    bare.install(python, tmp_path / "pruning-labs")
    kernel = AsyncKernelManager()
    kernel._kernel_spec = KernelSpec(  # pyright: ignore[reportAttributeAccessIssue]
        argv=[str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python"
    )
    for lab in (course.lab("00"), course.lab("04")):  # 04 has the slider
        notebook = notebooks.solved_notebook(lab)
        NotebookClient(notebook, km=kernel, timeout=300, resources={"metadata": {"path": tmp_path}}).execute(
            env=os.environ | TINY | {"PYTHONPATH": ""}
        )
