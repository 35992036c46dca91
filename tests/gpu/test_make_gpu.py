"""`make gpu`: with a card all of it, without one a sentence and no failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grader.course import ROOT

pytestmark = pytest.mark.gpu
MADE = ["-o", "setup", "-o", "sandbox", "-o", "model"]  # these are there already
PYTHON = """\
#!/bin/sh
[ "$1" = -c ] && exit 0  # there is a card
echo "$@"
[ "$2" = pytest ] && exit {status}
exit 0
"""


def make(folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """`make gpu` with the interpreter of a folder."""
    command = ["make", *MADE, f"BIN={folder}", "gpu"]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)


def test_without_a_card():
    """Also where all cards are hidden: it says that nothing ran, and what runs elsewhere."""
    done = make(Path(sys.executable).parent, CUDA_VISIBLE_DEVICES="-1")
    assert done.returncode == 0, done.stderr
    assert "no CUDA device here" in done.stdout and "make test" in done.stdout


@pytest.mark.parametrize("status", [0, 1])
def test_with_a_card(status, tmp_path):
    """All tests of this folder, then the benchmarks; a failed test fails it."""
    (tmp_path / "python").write_text(PYTHON.format(status=status))
    (tmp_path / "python").chmod(0o755)
    done = make(tmp_path)
    ran = [line for line in done.stdout.splitlines() if line.startswith("-m ")]
    assert ran[0] == "-m pytest -m gpu"
    assert (done.returncode == 0) == (status == 0)
    assert any("benchmarks" in line and "card" in line for line in ran[1:]) == (status == 0)
