"""A judge that fails: the student reads one sentence, and no exercise is called wrong for it."""

import dataclasses

import pytest

from labsupport import check
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.verdict import WIDTH, CheckFailed
from labsupport.errors import LabError


def right(mask):
    return (~mask).sum().item() / mask.numel()


def broken(monkeypatch, **parts) -> None:
    exercise = dataclasses.replace(EXERCISES["sparsity"], **parts)
    monkeypatch.setattr("labsupport.check.judge.lab00.sparsity.EXERCISE", exercise)


@pytest.mark.parametrize("part", ["cases", "parts"])
def test_a_student_reads_one_sentence(monkeypatch, part):
    """No traceback of the judge's, and no verdict on the function."""

    def stumble(*_arguments):
        raise RuntimeError("self.stride(-1) must be 1 to view Float as Byte (different element sizes)")

    broken(monkeypatch, **{part: stumble})
    with pytest.raises(CheckFailed) as caught:
        check.sparsity(right)
    said = caught.value._render_traceback_()
    assert all(len(line) <= WIDTH for line in said)
    text = " ".join(map(str.strip, said))
    assert text.startswith("Check 0.1  sparsity: the check itself failed, and your answer was not judged.")
    assert "a fault of the course, not yours: please tell your instructor (RuntimeError in test_" in text
    assert "not yet" not in text and "Traceback" not in text and "stride" not in text


def test_a_model_that_is_missing_is_said_so(monkeypatch):
    """What a student can mend, such as a download, keeps its own sentence."""

    def missing(_seed):
        raise LabError("The model is not there: run `python -m labsupport fetch`.")

    broken(monkeypatch, cases=missing)
    with pytest.raises(LabError, match="fetch"):
        check.sparsity(right)
