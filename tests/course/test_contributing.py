"""CONTRIBUTING.md, followed step by step in a copy of the checkout: does it lead to a new exercise?"""

import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

from grader import course

pytestmark = [pytest.mark.alone, pytest.mark.slow]  # it starts a sandbox
TEXT = (course.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
STEP = re.compile(r"(?:\b(Append to|Write)\s+`([^`]+)`:\n\n)?```(\w+)\n(.*?)```", re.DOTALL)
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "course", "build", "__pycache__", ".*_cache", "*.egg-info")
ONLY = """
import sys, pytest
from tests.hostile.submissions import ENTRIES

if __name__ == "__main__":  # grading starts processes that read this file too
    for name in list(ENTRIES):
        if name not in ({new!r}, "honest-ada"):
            del ENTRIES[name]
    sys.exit(pytest.main(["-p", "no:cacheprovider", "tests/grade/test_hostile.py", "-k", "test_submission"]))
"""


def steps() -> list[tuple[str, str, str, str]]:
    """What the fenced blocks say: append, write or run; a file; a language; the text."""
    return [(how or "Run", file or "", kind, block) for how, file, kind, block in STEP.findall(TEXT)]


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """A copy of the checkout after every step, the commands run as they stand; their outputs."""
    copy = tmp_path_factory.mktemp("contributing") / "copy"
    shutil.copytree(course.ROOT, copy, ignore=LEFT_OUT)
    (copy / ".venv").symlink_to(sys.prefix)
    said = []
    for how, file, kind, block in steps():
        path = copy / file
        if how == "Append to":
            assert path.is_file(), f"{file} is not there to append to"
            path.write_text(path.read_text(encoding="utf-8") + ("" if block[0] == "\n" else "\n\n") + block)
        elif how == "Write":
            assert not path.exists(), f"{file} is there already"
            path.write_text(block)
        else:
            assert kind == "sh", f"nobody says where this block goes:\n{block}"
            said += [run(copy, command) for command in block.splitlines()]
    return copy, said


def run(copy, command: str) -> str:
    """One command, in the copy, on the tiny model; what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {"PRUNING_LABS_MODEL": "tiny", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, shell=True, cwd=copy, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_text_leads_to_a_judge_that_works(followed):
    """An author who does what it says has right answers passed and wrong ones named; tests really ran."""
    _, said = followed
    tests = [text.count(".") for text in said if re.search(r"^\.+ +\[100%\]$", text, re.MULTILINE)]
    judged, built, on_a_model = tests
    assert judged > 40 and built > 5 and on_a_model > 30


def test_the_text_leads_to_a_notebook(followed):
    """The new exercise is in the student notebook: header, stub, check; no answer."""
    copy, _ = followed
    path = copy / "notebooks" / "00_start_here" / "00_start_here.ipynb"
    cells = {cell.id: cell.source for cell in nbformat.read(path, as_version=4).cells}
    assert "raise NotImplementedError()" in cells["kept_per_row"]
    assert cells["check_kept_per_row"] == "check.kept_per_row(kept_per_row)"
    assert "mask.sum(dim=1)" not in path.read_text()


def test_the_checkout_is_left_alone(followed):
    """Following the text in a copy changes nothing here."""
    for how, file, _, block in steps():
        path = course.ROOT / file
        assert how == "Run" or not path.exists() or block not in path.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_new_hostile_submission(followed):
    """The entry of the text gets, in a real sandbox, what it says that it must get."""
    copy, _ = followed
    (name,) = re.findall(r"^def (\w+)\(right\)", TEXT, re.MULTILINE)
    (copy / "only.py").write_text(ONLY.format(new=name.replace("_", "-")))
    assert re.search(r"^(\.\.)+ +\[100%\]$", run(copy, ".venv/bin/python only.py"), re.MULTILINE)


def test_every_path_that_is_named_is_there():
    """Who looks for a file that the text names finds it."""
    written = {file for how, file, _, _ in steps() if how == "Write"}
    named = set(re.findall(r"`([\w./]+/[\w./]*|[A-Z]\w+\.md)`", TEXT)) - written
    named = {name for name in named if "NN" not in name}
    assert len(named) > 10
    for name in named:
        assert (course.ROOT / name).exists(), name
