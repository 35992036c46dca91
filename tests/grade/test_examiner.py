"""The examiner tells its own faults from the student's, and is not moved by either."""

import dataclasses

import pytest

from grader.grade import examiner as module
from grader.grade.examiner import Examiner
from labsupport.check.ask import client
from labsupport.check.judge import EXERCISES

NAME = "windows"


def cut(token_ids, length):
    if len(token_ids) < length:
        raise ValueError
    return token_ids[: len(token_ids) // length * length].view(-1, length)


def asked(tmp_path, function) -> Examiner:
    with Examiner(tmp_path / "socket", 5) as examiner:
        client.answer_examiner(NAME, function, str(examiner.path))
    return examiner


def test_a_right_answer(tmp_path):
    """Over the socket a right function is right, and nothing is at fault."""
    examiner = asked(tmp_path, cut)
    assert examiner.fault is None
    assert examiner.verdicts[NAME].share == 1


@pytest.mark.parametrize("error", [KeyError, TypeError, OSError, ZeroDivisionError])
def test_a_judge_that_stumbles_is_a_fault(tmp_path, monkeypatch, error):
    """Whatever a judge raises is the grader's fault: it must not look as if nobody had asked."""

    def stumble(_inputs, _answer):
        raise error("in the judge")

    broken = dataclasses.replace(EXERCISES[NAME], parts=stumble)
    monkeypatch.setattr(module, "EXERCISES", {NAME: broken})
    with Examiner(tmp_path / "socket", 5) as examiner, pytest.raises((EOFError, OSError)):
        client.answer_examiner(NAME, cut, str(examiner.path))
    assert isinstance(examiner.fault, error)
    assert NAME not in examiner.verdicts
