"""The examiner tells its own faults from the student's, and is not moved by either."""

import dataclasses

import pytest

from grader.grade import examiner as module
from grader.grade.examiner import Examiner
from labsupport.check.ask import client
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.verdict import Ending
from labsupport.errors import LabError

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


def test_cases_that_cannot_be_made_are_a_fault(tmp_path, monkeypatch):
    """The same before the first case is sent: the check cell ends, and the submission goes on."""
    broken = dataclasses.replace(EXERCISES[NAME], cases=lambda seed: [][seed])
    monkeypatch.setattr(module, "EXERCISES", {NAME: broken})
    assert asked(tmp_path, cut).verdicts[NAME].status == Ending.FAULT


def test_a_cause_that_stumbles_costs_nothing(tmp_path, monkeypatch):
    """The verdict stands when only the search for the mistake fails."""
    monkeypatch.setattr(module, "EXERCISES", {NAME: dataclasses.replace(EXERCISES[NAME], cause=None)})
    verdict = asked(tmp_path, lambda token_ids, length: token_ids).verdicts[NAME]
    assert (verdict.status, verdict.cause) == (Ending.WRONG, "")


def test_a_machine_without_the_model_judges_nobody(tmp_path, monkeypatch):
    """That is no fault of one exercise: the whole class stops with this sentence."""

    def missing(_seed):
        raise LabError("the model is missing")

    monkeypatch.setattr(module, "EXERCISES", {NAME: dataclasses.replace(EXERCISES[NAME], cases=missing)})
    with Examiner(tmp_path / "socket", 5) as examiner, pytest.raises((EOFError, OSError)):
        client.answer_examiner(NAME, cut, str(examiner.path))
    assert isinstance(examiner.fault, LabError)
    assert NAME not in examiner.verdicts


@pytest.mark.parametrize("error", [KeyError, TypeError, OSError, ZeroDivisionError])
def test_a_judge_that_stumbles_is_a_fault(tmp_path, monkeypatch, error):
    """Whatever a judge raises is the grader's fault: it must not look as if nobody had asked."""

    def stumble(_inputs, _answer):
        raise error("in the judge")

    broken = dataclasses.replace(EXERCISES[NAME], parts=stumble)
    monkeypatch.setattr(module, "EXERCISES", {NAME: broken})
    verdict = asked(tmp_path, cut).verdicts[NAME]
    assert verdict.status == Ending.FAULT
    assert error.__name__ in verdict.mistake and "test_examiner.py" in verdict.mistake
