"""The challenge's judge: points by bytes, files from patched clients, and addresses that nobody saw."""

import functools
import importlib.util
from pathlib import Path

import pytest
import torch

from labsupport import challenge, container, corpora, models
from labsupport.check.ask import wire
from labsupport.check.ask.answer import plain
from labsupport.check.ask.client import answer_here
from labsupport.check.ask.own.smallest_file import Packed
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit import memo
from labsupport.check.judge.kit.judging import judge
from labsupport.check.judge.kit.verdict import WIDTH, Ending
from labsupport.check.judge.lab12 import smallest_file as own
from tests.hostile.files import FILES

pytestmark = pytest.mark.usefixtures("tiny_course")

EXERCISE = EXERCISES["smallest_file"]
PATH = Path(__file__).parents[2] / "wrong_answers" / "smallest_file.py"
COURSE = 20_261_121  # a course's hidden seed


@functools.cache
def answers():
    spec = importlib.util.spec_from_file_location("answers_smallest_file", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def verdict(function, seed: int = 0):
    return judge(
        EXERCISE, EXERCISE.cases(seed), lambda case: answer_here("smallest_file", function, case.inputs)
    )


def sent(**fields):
    """The verdict on an answer that a patched client sends."""
    answer = {"value": None, "error": None, "changed": [], "device": None, "refused": None, **fields}
    return judge(EXERCISE, EXERCISE.cases(0), lambda _case: wire.unpack(wire.pack(answer)))


def sent_file(file: bytes, **fields):
    return sent(**{"file": torch.frombuffer(bytearray(file), dtype=torch.uint8), "size": len(file)} | fields)


@functools.cache
def right_file() -> bytes:
    model = models.tiny(0)
    return container.encode(answers().right_nearest(model, [], 1), model.config)


@pytest.mark.lengthy
@pytest.mark.parametrize(("limits", "share"), [
    ((1, 1, 1, 1), 0.0), ((10**6, 1, 1, 1), 0.3), ((10**6, 10**6, 1, 1), 0.6),
    ((10**6, 10**6, 10**6, 1), 0.8), ((10**6,) * 4, 1.0),
])  # fmt: skip
def test_points_go_by_bytes(monkeypatch, limits, share):
    """Three, six, eight and ten points, at home and under hidden cases; without points there is no place."""
    rungs = tuple(zip(limits, (3, 6, 8, 10), strict=True))
    monkeypatch.setitem(challenge.RUNGS, models.TINY, rungs)
    for seed in (0, COURSE):
        found = verdict(answers().right_nearest, seed)
        assert found.share == pytest.approx(share)
        assert (found.status == Ending.RIGHT) == (share == 1)
        assert (found.place is not None) == (share > 0)


def test_a_right_answer_is_told_its_numbers():
    found = verdict(answers().right_nearest)
    size = len(right_file())
    assert found.message() == f"Check 12.1  smallest_file: all 8 parts pass\n  {found.place.said()}"
    assert f"{size:,} bytes" in found.message() and found.place.bytes == size


def test_above_the_limit_nothing_is_earned(monkeypatch):
    """However small the file is; the numbers are said."""
    monkeypatch.setattr(challenge, "RATIO", 0.5)
    found = verdict(answers().right_nearest)
    assert found.share == 0 and found.place is None
    assert "A file above it earns nothing" in " ".join(found.message().split())
    assert f"{len(right_file()):,} bytes" in " ".join(found.message().split())


def test_the_addresses_of_the_measurement_are_not_sent():
    """What a function could see of them it could train on."""
    for seed in (0, 1, COURSE):
        (case,) = EXERCISE.cases(seed)
        assert case.inputs.keys() == {"model", "batches", "seconds"}
        assert "years" not in repr(case.inputs) and "evaluation" not in repr(case.inputs)
        wire.unpack(wire.pack(case.inputs))


def test_hidden_addresses_are_of_other_years():
    """Eight windows of the right length, of years that nobody calibrates or evaluates on at home."""
    seen = {year for years in corpora.YEARS.values() for year in years}
    years = [case.private["evaluation"]["years"] for seed in (1, COURSE) for case in EXERCISE.cases(seed)]
    assert years[0] != years[1] and not {int(year) for both in years for year in both} & seen
    (case,) = EXERCISE.cases(COURSE)
    found = own.windows(case.known)
    assert found.shape == (8, 64) and found.dtype is torch.int64
    assert torch.equal(found, own.windows(case.known))


def test_every_hidden_year_has_an_address_long_enough():
    """A year without one would make a course's seed a fault of the judge."""
    for year in own.YEARS:
        assert len(corpora.of_years([year])) > 10_000, year


def test_the_same_file_is_measured_once(monkeypatch):
    """A class that hands in equal files costs one measurement."""
    monkeypatch.setattr(memo, "_known", {})
    measured = []
    monkeypatch.setattr(challenge, "perplexity", lambda file, windows: measured.append(file) or 1.0)
    for _ in range(3):
        assert sent_file(right_file()).status == Ending.RIGHT
    assert measured == [right_file()]


@pytest.mark.parametrize(("fields", "said"), [
    ({"file": None, "size": 0}, "not what a check cell sends"),
    ({"file": None, "size": 90_000_000}, "not what a check cell sends"),
    ({"file": None, "size": 538_000_000}, "it is too large"),
    ({"file": torch.zeros(8), "size": 8}, "not what a check cell sends"),
    ({"file": torch.zeros(8, dtype=torch.uint8), "size": 7}, "not what a check cell sends"),
    ({"file": torch.zeros(2, 4, dtype=torch.uint8), "size": 8}, "not what a check cell sends"),
    ({"file": torch.zeros(0, dtype=torch.uint8), "size": 0}, "its first eight bytes"),
    ({"file": torch.zeros(99, dtype=torch.uint8), "size": 99}, "no file of the course"),
    ({"file": "SPEAKS01", "size": 8}, "not what a check cell sends"),
    ({"file": None, "size": -1}, "not what a check cell sends"),
    ({"file": None, "size": 2**62}, "not what a check cell sends"),
    ({"file": None}, "not what a check cell sends"),
    ({"file": None, "size": 9, "perplexity": 1.0}, "not what a check cell sends"),
])  # fmt: skip
def test_a_patched_client_gains_nothing(fields, said):
    """Whatever is sent instead of a file: wrong with a sentence that fits, and no fault of the judge's."""
    found = sent(**fields)
    assert found.status == Ending.WRONG and found.share == 0 and found.place is None
    assert said in " ".join(found.message().split())
    assert all(len(line) <= WIDTH for line in found.message().splitlines())


def test_a_damaged_file_is_a_wrong_answer():
    """Cut off, with something behind it, or with another table: one sentence, nothing decoded."""
    file = right_file()
    for damaged in (file[:-1], file + b"x", file[:8] + b"\xff\xff\xff\x7f" + file[12:], file[:3000]):
        found = sent_file(damaged)
        assert found.status == Ending.WRONG and found.share == 0
        assert "FAILED    the examiner can read the file" in found.message()


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_one_wrong_answer(name):
    """A bomb, a lie or code: a sentence that fits, and nothing is earned. They come from sandboxes, too."""
    make, says = FILES[name]
    file = make(right_file())
    found = sent_file(file) if len(file) <= challenge.MOST_BYTES else sent(file=None, size=len(file))
    assert found.status == Ending.WRONG and found.share == 0 and found.place is None
    assert says in " ".join(found.message().split())


def test_a_claimed_size_is_counted_again():
    """A smaller number than the file has bytes buys no rung."""
    assert sent_file(right_file(), size=len(right_file()) - 1).share == 0


def test_a_file_of_another_model_is_refused():
    """Its shapes are not the course model's."""
    from tests.labsupport.test_container import CONFIG

    torch.manual_seed(0)
    other = models.LlamaForCausalLM(CONFIG)
    file = container.encode({name: w.detach() for name, w in other.named_parameters()}, CONFIG)
    assert sent_file(file).share == 0


def test_a_model_too_large_to_be_read_is_not_sent(monkeypatch):
    """The course model in float32 has 538 MB: its author hears so, and no message of that size travels."""
    monkeypatch.setattr("labsupport.check.ask.own.smallest_file.MOST_BYTES", 1000)
    (case,) = EXERCISE.cases(0)
    answer = answer_here("smallest_file", answers().right_nearest, case.inputs)
    assert answer["file"] is None and answer["size"] == len(right_file())


def test_the_largest_file_fits_into_a_message():
    """A file that is read must also arrive."""
    assert challenge.MOST_BYTES + 10_000 < wire.LIMIT
    empty = plain(Packed(value=None, error=None, changed=[], device=None, file=None, size=0, refused=None))
    assert len(wire.pack(empty)) < 10_000
