"""The memory of a card: as many graders as fit on it, and what does not fit is no student's mistake."""

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import pytest
import torch

from grader.grade import cards, class_run, local_pool
from grader.grade.examiner import Examiner
from grader.grade.journal import Record
from grader.grade.local_pool import Pool
from grader.status import Status
from labsupport import check
from labsupport.check.ask.client import answer_here
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.judging import judge
from labsupport.check.judge.kit.strain import Strained
from labsupport.check.judge.kit.verdict import Ending
from labsupport.errors import LabError
from tests.gpu.conftest import REAL

pytestmark = pytest.mark.gpu
SPARSITY = EXERCISES["sparsity"]
BOTH = ["cuda:0", "cuda:1"]


@pytest.fixture
def two_cards(card, monkeypatch):
    """A machine with two cards, of which a test says how much is free."""
    if REAL:
        pytest.skip("the stand-in has two cards")
    room = dict.fromkeys(BOTH, 100 * 2**30)
    monkeypatch.setattr(cards, "free", lambda name: room[name])
    return room


def test_cards_in_turns(two_cards, monkeypatch):
    """All cards, or the one that is named by number."""
    assert cards.named() == BOTH
    assert cards.dealt(3) == ["cuda:0", "cuda:1", "cuda:0"]
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cuda:1")
    assert cards.dealt(2) == ["cuda:1", "cuda:1"]


def test_room_is_counted(two_cards, capsys):
    """A card that is full gets none; where all are, the one with most gets a grader in any case."""
    two_cards["cuda:0"], two_cards["cuda:1"] = cards.need() - 1, 2 * cards.need()
    assert cards.dealt(9) == ["cuda:1", "cuda:1"]
    two_cards["cuda:1"] = 0
    assert cards.dealt(9) == ["cuda:0"]
    assert local_pool.affordable(4) == 1
    assert "1 of 4 workers run: one may take" in capsys.readouterr().out


@pytest.mark.parametrize("full", BOTH)
def test_one_grader_is_where_there_is_room(full, two_cards, monkeypatch):
    """In this process, which computes on the first card, or in one of its own on another."""
    two_cards[full] = 0
    started = []
    monkeypatch.setattr(local_pool, "started", lambda _workers, card="": started.append(card) or Here())
    with class_run.local("02_magnitude_pruning", 1, warm=False) as pool:
        if pool is not None:
            pool.submit(task("ada")).result()
    assert started == (["cuda:1"] if full == "cuda:0" else [])


def test_graders_get_their_cards(two_cards, monkeypatch):
    """As dealt; who takes the place of one that ended gets its card."""
    started, ends = [], [True, False, False]
    monkeypatch.setattr(
        local_pool, "started", lambda _workers, card="": started.append(card) or Here(ends.pop(0))
    )
    with local_pool.local(2) as pool:
        for student in ("ada", "ben"):
            pool.submit(task(student)).result()
        assert started == ["cuda:0", "cuda:1"]


class Here:
    """A grading process that does nothing, or ends."""

    def __init__(self, ends: bool = False):
        self.ends = ends

    def submit(self, *_) -> Future:
        done: Future = Future()
        if self.ends:
            done.set_exception(BrokenProcessPool())
        else:
            done.set_result(record("ada"))
        return done

    def shutdown(self) -> None:
        """There is nothing to end."""


def test_none_on_a_cpu(monkeypatch):
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cpu")
    assert cards.named() == cards.dealt(3) == []


def full(mask):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def dead(mask):
    raise RuntimeError("CUDA error: an illegal memory access was encountered")


def asked(function):
    """The verdict on a function, at home."""
    return judge(SPARSITY, SPARSITY.cases(0), lambda case: answer_here("sparsity", function, case.inputs))


@pytest.mark.parametrize("function", [full, dead])
def test_an_answer_that_strains_the_card(function, card):
    """It is not judged; at home one sentence says what to do."""
    with pytest.raises(Strained, match="CUDA"):
        asked(function)
    with pytest.raises(LabError, match="The GPU failed, and sparsity was not judged: CUDA"):
        check.sparsity(function)


def test_on_a_cpu_it_is_an_error_like_any_other(monkeypatch):
    """Who raises it there, wrote it."""
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cpu")
    assert asked(full).status == Ending.WRONG


def examined(tmp_path, function) -> Examiner:
    """An examiner after one function was asked and judged."""
    examiner = Examiner(tmp_path / "socket", 1, None)
    examiner._ask = lambda _connection, name, case: answer_here(name, function, case.inputs)
    examiner._judge(None, SPARSITY)
    return examiner


def test_the_examiner_leaves_its_points_open(card, tmp_path):
    """A fault, which an instructor sees, and no wrong answer."""
    found = examined(tmp_path, full)
    verdict = found.verdicts["sparsity"]
    assert verdict.status == Ending.FAULT
    assert "no mistake of yours" in verdict.message()
    assert found.strained.startswith("sparsity, CUDA out of memory")


ENDS = {
    "broken": torch.AcceleratorError("CUDA error: device-side assert triggered"),
    "broken too": RuntimeError("CUDA error: unspecified launch failure"),
    "full": torch.OutOfMemoryError("CUDA out of memory."),
    "full outside torch": torch.AcceleratorError("CUDA error: out of memory"),
    "full for cuBLAS": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(h)`"),
    "other": RuntimeError("shapes differ"),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_judge_that_fails_on_the_card(how, card, tmp_path, monkeypatch):
    """A lost card stops the run, a full one strains, anything else is a fault of that judge."""
    examiner = Examiner(tmp_path / "socket", 1, None)
    if how.startswith("broken"):
        with pytest.raises(LabError, match="can use it no more"):
            examiner._failed(SPARSITY, ENDS[how])
        return
    try:
        raise ENDS[how]
    except RuntimeError as problem:
        assert examiner._failed(SPARSITY, problem).status == Ending.FAULT
    assert bool(examiner.strained) == how.startswith("full")


def record(student: str, strained: str = "") -> Record:
    status = Status.OUT_OF_MEMORY if strained else Status.GRADED
    return Record(student, "02", "", "", status, strained=strained)


def task(student: str):
    return SimpleNamespace(submission=SimpleNamespace(student=student, lab="02", digest=""))


@pytest.fixture
def no_marks(monkeypatch):
    for name in ("mark", "unmark"):
        monkeypatch.setattr(class_run.journal, name, lambda *_: None)


@pytest.mark.parametrize("again", ["", "row_mask, CUDA out of memory"])
def test_asked_again_alone(again, no_marks):
    """After all others, with nobody beside it; what fails once more stays open."""
    order, outcomes = [], {"ada": ["row_mask, CUDA out of memory", again], "ben": [""], "eve": [""]}
    running = 0

    def submit(one) -> Future:
        nonlocal running
        running += 1
        order.append((one.submission.student, running))
        done: Future = Future()
        done.set_result(record(one.submission.student, outcomes[one.submission.student].pop(0)))
        return done

    def received(_task, future):
        nonlocal running
        running -= 1
        return future.result()

    pool = Pool(lambda: 2, submit, received)
    found = {each.student: each for each in class_run.finished([task(s) for s in outcomes], pool)}
    assert order[-1] == ("ada", 1)
    assert [student for student, _ in order].count("ada") == 2
    assert found["ada"].status == (Status.OUT_OF_MEMORY if again else Status.GRADED)
    assert len(found) == 3


def test_asked_again_without_a_pool(no_marks, monkeypatch):
    left = [record("ada", "row_mask, CUDA out of memory"), record("ada")]
    monkeypatch.setattr(class_run, "grade", lambda _task: left.pop(0))
    assert [each.status for each in class_run.finished([task("ada")], None)] == [Status.GRADED]
