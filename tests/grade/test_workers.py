"""Several workers on one machine give what one gives, and never more of them than there is memory for."""

import os

import pytest
import torch

from grader.grade import local_pool, memory
from grader.grade.class_run import grade_class
from grader.sandbox import zygote_client
from grader.sandbox.bwrap import environment
from tests.grade.mixed import LIMITS, another_course, comparable, hand_in_all, one_after_the_other
from tests.hostile.submissions import LAB
from tests.sample import few

pytestmark = pytest.mark.alone

GIB = 2**30


@pytest.mark.parametrize("workers", few([2, 3], of=[]))
def test_as_one_after_the_other(workers):
    """Whoever grades with several workers finds the same scores and messages, to the last bit."""
    expected = one_after_the_other()
    with another_course():
        hand_in_all()
        found = comparable(grade_class(LAB, workers=workers, limits=LIMITS))
    for student, record in expected.items():
        for name, value in record.items():
            assert found[student][name] == value, (student, name)
    assert {record["status"] for record in found.values()} == {
        "GRADED", "KERNEL_DIED", "UNREADABLE", "NOT_SUBMITTED",
    }  # fmt: skip


def test_larger_models_need_more(monkeypatch):
    """A class on a model of a billion weights is not given the workers that the small one would get."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "smollm2-135m")
    small = memory.need()
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tinyllama-1.1b-chat")
    assert memory.need() > small + 2 * 4 * 1_100_048_384 - 2 * 4 * 135_000_000


@pytest.mark.parametrize(("free", "count"), [(0.1, 1), (1.9, 1), (2, 2), (3.5, 3), (99, 4)])
def test_no_more_than_fit(monkeypatch, capsys, free, count):
    """Who asks for more than fits gets what fits, one at least, and one sentence that says why."""
    monkeypatch.setattr(memory, "available", lambda: int(free * memory.need()))
    assert local_pool.affordable(4) == count
    said = capsys.readouterr().out
    assert (said == "") == (count == 4)
    if count < 4:
        assert said.startswith(f"{count} of 4 workers run: ")
        assert said.count("\n") == 1


def test_little_memory_grades_all_the_same(monkeypatch, capsys):
    """With memory for one worker the class is graded by one."""
    monkeypatch.setattr(memory, "available", lambda: 0)
    with another_course():
        from tests.grade.test_hostile import hand_in

        hand_in("eve", {})
        hand_in("fay", {})
        assert [record.status for record in grade_class(LAB, workers=2)] == ["NOT_SUBMITTED"] * 2
    assert "1 of 2 workers run" in capsys.readouterr().out


def test_cores_are_shared_out(monkeypatch, tmp_path):
    """A worker's judges and its sandboxes compute with the worker's share of the cores."""
    before = torch.get_num_threads()
    monkeypatch.setattr(zygote_client, "zygote", zygote_client.Zygote())
    monkeypatch.setattr(os, "environ", {})
    try:
        local_pool.prepare(3, None)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    inside = environment(tmp_path, None, tmp_path, tmp_path, tmp_path)
    assert {inside[name] for name in local_pool.THREADS} == {"3"}


def test_own_thread_count_stands(monkeypatch):
    """Who set OMP_NUM_THREADS has thought about it."""
    before = torch.get_num_threads()
    monkeypatch.setattr(zygote_client, "zygote", zygote_client.Zygote())
    monkeypatch.setattr(os, "environ", {"OMP_NUM_THREADS": "5", "HOME": "/"})
    local_pool.prepare(before + 1, None)
    assert torch.get_num_threads() == before
    assert os.environ["OMP_NUM_THREADS"] == "5"
