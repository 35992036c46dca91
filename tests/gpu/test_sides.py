"""Both sides of the socket compute alike, or nobody is graded: no right answer is wrong for a lost GPU."""

import json
import socket
import sys

import msgspec
import nbformat
import pytest
import torch

from grader.grade.examiner import Examiner
from grader.grade.try_function import attempt
from grader.sandbox import bwrap, events
from grader.sandbox.agreement import agree
from grader.sandbox.run import run_command, run_notebook
from labsupport import machine, settings
from labsupport.check.ask import wire
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.verdict import Verdict
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
        agree(HERE, ready(**{field: OTHERWISE[field]}))
    assert OTHERWISE[field] in str(caught.value)


def test_threads_may_differ():
    """They are reported; a sandbox that shares the cores with others has fewer."""
    agree(HERE, ready(threads=HERE.threads + 1))


@pytest.mark.parametrize("told", [None, {}, {"device": 3}, {**msgspec.to_builtins(HERE), "more": 1}])
def test_a_sandbox_that_says_nothing_of_use(told):
    """No report is a difference, too."""
    event = events.decode(msgspec.json.encode({"event": "ready", "machine": told}))
    with pytest.raises(LabError, match="nobody is graded"):
        agree(HERE, event)


CELL = [{"event": "start", "cell": 0}, {"event": "end", "cell": 0, "ended": "FINISHED", "outputs": []}]
CELL[1] |= {"count": 1, "cut": False}
OVER = {"event": "over", "status": "FINISHED"}
SELF = msgspec.to_builtins(HERE)


def said(**machine) -> dict:
    """The line of a sandbox that says this of itself."""
    return {"event": "ready", "machine": SELF | machine}


LIES = {
    "nothing at all": [],
    "only an end": [OVER],
    "too late": [*CELL, said(), OVER],
    "late, and in time for the end": [CELL[0], said(), CELL[1], OVER],
    "another device": [said(device="cuda:0"), *CELL, OVER],
    "no object": [{"event": "ready", "machine": [1]}, *CELL, OVER],
    "a word for a number": [said(threads="2"), *CELL, OVER],
    "no threads": [said(threads=0), *CELL, OVER],
    "too many threads": [said(threads=10**30), *CELL, OVER],
    "a long name": [said(name="x" * 10**6), *CELL, OVER],
    "a page of troubles": [{"event": "ready", "trouble": "line\n" * 20}, *CELL, OVER],
    "another event": [{"event": "steady", "machine": SELF}, *CELL, OVER],
}
TWICE = json.dumps(said())[:-1] + f', "machine": {json.dumps(SELF | {"device": "cuda:0"})}}}'
BYTES = {how: "".join(json.dumps(line) + "\n" for line in lines) for how, lines in LIES.items()}
BYTES |= {"no text": "\0\1\n", "not a number": '{"event": "ready", "machine": NaN}\n', "twice": f"{TWICE}\n"}


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """A function that grades with a runner that writes this and ends."""
    program = tmp_path / "runner.py"
    program.write_text(
        f"import sys\nsys.stdout.buffer.write(open({str(tmp_path / 'said')!r}, 'rb').read())\n"
    )
    monkeypatch.setattr(bwrap, "RUNNER", program)
    one = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])

    def graded(text: str):
        (tmp_path / "said").write_text(text)
        return run_notebook(nbformat.writes(one).encode(), None, isolation="none", judge=HERE)

    return graded


@pytest.mark.parametrize("how", BYTES)
def test_whatever_a_sandbox_writes(how, runner):
    """No line before "ready" counts, no line is believed half: one short sentence, and no verdict."""
    if how == "nothing at all":  # it did not start: the sandbox's own fault
        assert runner(BYTES[how]).status == "GRADER_ERROR"
        return
    with pytest.raises(LabError, match="nobody is graded") as caught:
        runner(BYTES[how])
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700


def test_the_same_lines_in_order(runner):
    """The fixture above is a runner; its own reason is told where it failed before it was ready."""
    lines = [json.dumps(line) + "\n" for line in (said(), *CELL, OVER)]
    assert runner("".join(lines)).status == "FINISHED"
    failed = {"event": "over", "status": "GRADER_ERROR", "detail": "no kernel starts"}
    assert "no kernel starts" in runner(json.dumps(failed) + "\n").reason


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


def test_before_every_question_the_examiner_has_full_precision(tmp_path, monkeypatch):
    """Whatever asked for less before: an earlier question, its judge, or a perplexity."""
    seen = []

    def look(*_):
        seen.append(torch.get_float32_matmul_precision())
        torch.set_float32_matmul_precision("high")

    examiner = Examiner(tmp_path / "socket", 1, None)
    monkeypatch.setattr("grader.grade.examiner.judge", lambda *_: look() or Verdict.__new__(Verdict))
    monkeypatch.setattr("grader.grade.examiner.judge_again", lambda _all, verdict, *_: verdict)
    monkeypatch.setattr(examiner, "_shared", look)
    examiner._judge(None, EXERCISES["sparsity"])
    here, there = socket.socketpair()
    with here, there, examiner._work:
        wire.send(there, {"answer": 1})
        examiner._ask(here, "sparsity", EXERCISES["sparsity"].cases(0)[0])
        look()
        examiner._judge(None, EXERCISES["sparsity"])
    here, there = socket.socketpair()
    with here, there:
        examiner._measure(here, {})
    torch.set_float32_matmul_precision("highest")
    assert seen == ["highest"] * 4


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
