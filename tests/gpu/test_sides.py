"""Both sides of the socket compute alike, or nobody is graded: no right answer is wrong for a lost GPU."""

import sys

import msgspec
import nbformat
import pytest
import torch

from grader.grade.try_function import attempt
from grader.sandbox import bwrap, events
from grader.sandbox.run import _agree, run_command, run_notebook
from labsupport import machine, settings
from labsupport.errors import LabError
from tests.gpu.conftest import REAL

pytestmark = pytest.mark.gpu
HERE = machine.here()
RIGHT = "def sparsity(mask):\n    return (~mask).sum().item() / mask.numel()\n"


def ready(**changed) -> events.Ready:
    """The event of a sandbox like this process, but for these fields."""
    line = {"event": "ready", "machine": {**msgspec.to_builtins(HERE), **changed}}
    return events.decode(msgspec.json.encode(line))


OTHERWISE = {"device": "cuda:1", "name": "NVIDIA T4", "capability": "7.5", "driver": "CUDA 11.4",
             "dtype": "bfloat16", "precision": "less than float32"}  # fmt: skip


@pytest.mark.parametrize("field", OTHERWISE)
def test_a_difference_ends_the_run(field):
    """One sentence for all, with both sides in it, and no verdict for anybody."""
    with pytest.raises(LabError, match="do not compute alike, so nobody is graded") as caught:
        _agree(HERE, ready(**{field: OTHERWISE[field]}))
    assert OTHERWISE[field] in str(caught.value)


def test_threads_may_differ():
    """They are reported; a sandbox that shares the cores with others has fewer."""
    _agree(HERE, ready(threads=HERE.threads + 1))


@pytest.mark.parametrize("told", [None, {}, {"device": 3}, {**msgspec.to_builtins(HERE), "more": 1}])
def test_a_sandbox_that_says_nothing_of_use(told):
    """No report is a difference, too."""
    event = events.decode(msgspec.json.encode({"event": "ready", "machine": told}))
    with pytest.raises(LabError, match="nobody is graded"):
        _agree(HERE, event)


def test_less_than_float32_is_measured(monkeypatch):
    """Not what a switch says, but what a product keeps."""
    assert machine.precision(torch.device("cpu")) == "float32"
    monkeypatch.setattr(torch, "equal", lambda *_: False)
    assert machine.precision(torch.device("cpu")) == "less than float32"


def test_full_precision_comes_first():
    """An environment of a container, or a cell of a student, may have asked for TF32."""
    torch.set_float32_matmul_precision("high")
    machine.here()
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.usefixtures("card")
def test_on_a_card():
    """Name, capability and driver are said, and the sandbox is told which card."""
    found = machine.here()
    assert found.device == "cuda:0" and found.name and found.capability and found.driver
    assert "capability" in found.text()
    assert bwrap.inside(None)["PRUNING_LABS_DEVICE"] == "cuda:0"


def test_the_sandbox_is_told_the_device(monkeypatch):
    """Whatever it finds there itself."""
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cpu")
    assert bwrap.inside(None)["PRUNING_LABS_DEVICE"] == "cpu"
    assert settings.device() == torch.device("cpu")


@pytest.mark.sandbox
@pytest.mark.skipif(REAL, reason="here the sandbox has its GPU")
def test_a_sandbox_without_its_gpu(tmp_path, empty_course, card):
    """The judge is on a card, the sandbox has none: a LabError, where every answer was called wrong."""
    (tmp_path / "right.py").write_text(RIGHT)
    with pytest.raises(LabError, match="nobody is graded") as caught:
        attempt("sparsity", tmp_path / "right.py")
    assert "cuda:0 cannot be used: torch finds no CUDA device here (" in str(caught.value)


@pytest.mark.sandbox
@pytest.mark.skipif(not REAL, reason="a sandbox has no stand-in")
def test_a_sandbox_with_its_gpu(tmp_path, empty_course, card):
    """Both sides are on it, and a right answer is right."""
    (tmp_path / "right.py").write_text(RIGHT)
    assert attempt("sparsity", tmp_path / "right.py").share == 1


@pytest.mark.sandbox
def test_a_notebook_and_a_command_report(monkeypatch, tmp_path):
    """Before the first cell, and before the first line of the file."""
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cpu")
    one = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    whole = nbformat.writes(one).encode()
    assert run_notebook(whole, None, judge=machine.here()).status == "FINISHED"
    other = msgspec.structs.replace(machine.here(), dtype="bfloat16")
    with pytest.raises(LabError, match="bfloat16"):
        run_notebook(whole, None, judge=other)
    with pytest.raises(LabError, match="ended before it said"):
        run_command([sys.executable, "-c", ""], {}, None, judge=other)
