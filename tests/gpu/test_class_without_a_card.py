"""A class in real sandboxes whose judge believes in a GPU: what a lost or a full one does to it."""

import os
from concurrent.futures import Future
from types import SimpleNamespace

import nbformat
import pytest
import torch

from grader import course
from grader.__main__ import main
from grader.grade import class_run, journal, local_pool
from grader.grade.class_run import grade_class
from grader.grade.journal import Record
from grader.sandbox import zygote_client
from grader.status import Status
from labsupport.check.judge.kit import strain
from labsupport.errors import LabError
from tests.gpu.conftest import REAL
from tests.grade.test_hostile import hand_in, right_answers
from tests.hostile.submissions import FILE, LAB

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.lengthy,
    pytest.mark.skipif(REAL, reason="test_class_on_a_card asks a real one"),
]
LAST = "def sensitivity_budgets("
FULL = "    raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')\n"


def hand_in_one(name: str, strained: bool = False) -> None:
    """Right answers; or one in which the last exercise's function fills the card."""
    notebook = right_answers()
    for cell in notebook.cells:
        if strained and LAST in cell.source:
            before, start, after = cell.source.partition(LAST)
            head, _, body = after.partition(":\n")
            cell.source = f"{before}{start}{head}:\n{FULL}{body}"
    hand_in(name, {FILE: nbformat.writes(notebook).encode()})


@pytest.mark.sandbox
def test_sandboxes_without_the_gpu_grade_nobody(empty_course, card, capsys):
    """One sentence and a 2; no record, so that the same command grades everybody when the GPU is back."""
    hand_in_one("ada")
    assert main(["grade", LAB, "--cold"]) == 2
    said = capsys.readouterr().err
    assert "nobody is graded" in said and "cuda:0 cannot be used" in said
    assert journal.read(LAB, "ada") is None


@pytest.mark.sandbox
def test_an_answer_that_fills_the_card(empty_course, monkeypatch):
    """Asked twice, open, and not the student's mistake; all other points are counted."""
    monkeypatch.setattr(strain, "settings", SimpleNamespace(device=lambda: torch.device("cuda", 0)))
    hand_in_one("ada", strained=True)
    hand_in_one("ben")
    starts = []
    real = journal.mark
    monkeypatch.setattr(journal, "mark", lambda *about: (starts.append(about[1]), real(*about))[1])
    found = {record.student: record for record in grade_class(LAB, cold=True)}
    ada, ben = found["ada"], found["ben"]
    assert ben.status == Status.GRADED, ben.reason
    assert ada.status == Status.OUT_OF_MEMORY and ada.strained.startswith("sensitivity_budgets, ")
    assert "no mistake of the student's" in ada.reason
    assert not journal.settled(journal.read(LAB, "ada"), ada.submission, ada.version)
    shares = {name: verdict.share for name, verdict in ada.verdicts.items()}
    assert starts.count("ada") == 2 and starts.count("ben") == 1
    assert shares.pop("sensitivity_budgets") == 0 and set(shares.values()) == {1}


def test_a_lost_card_stops_the_run(empty_course, monkeypatch):
    """A judge's sticky error: nothing that this process would judge means anything."""
    hand_in_one("ada")

    def dead(*_):
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr("grader.grade.examiner.judge", dead)
    with pytest.raises(LabError, match="can use it no more"):
        grade_class(LAB, cold=True)
    assert journal.read(LAB, "ada") is None
    assert course.folder().is_dir()


@pytest.mark.parametrize(("asked", "wanted"), [(None, 2), (1, 1), (3, 3)])
def test_one_grader_on_each_card(asked, wanted, empty_course, card, monkeypatch):
    """Unless told otherwise; the stand-in has two cards."""
    for student in ("ada", "ben", "eve"):
        hand_in_one(student)

    def local(_lab, workers, _warm):
        raise LabError(f"{workers} wanted")

    monkeypatch.setattr(class_run, "local", local)
    with pytest.raises(LabError, match=f"{wanted} wanted"):
        grade_class(LAB, workers=asked)


def test_a_clusters_cards_are_not_looked_for_here(empty_course, monkeypatch):
    """Whoever starts a class from a machine without a GPU names the device of the workers."""
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cuda")
    hand_in_one("ada")

    def submit(task) -> Future:
        done: Future = Future()
        done.set_result(Record("ada", LAB, task.submission.digest, task.version, Status.GRADED))
        return done

    pool = local_pool.Pool(lambda: 1, submit, lambda _task, future: future.result())
    assert [record.status for record in grade_class(LAB, pool=pool)] == [Status.GRADED]


def test_a_worker_computes_on_its_card(monkeypatch):
    """Its judges do, and so its sandboxes."""
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cuda")
    for name in local_pool.THREADS:
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(zygote_client, "zygote", zygote_client.Zygote())
    local_pool.prepare(1, None, "cuda:1")
    assert os.environ["PRUNING_LABS_DEVICE"] == "cuda:1"
