"""The benchmarks that a GPU alone can run: on the stand-in they run through, on a tiny shape."""

import importlib
import json

import pytest

from benchmarks import card as on_card
from benchmarks import perplexity, pruning
from labsupport import settings
from tests.gpu.conftest import REAL

pytestmark = pytest.mark.gpu


@pytest.fixture
def here(tiny_course, monkeypatch):
    """The jobs run in this process, on the tiny model."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")

    def run(job, **arguments):
        module, function = job.split(":")
        found = getattr(importlib.import_module(f"benchmarks.{module}"), function)(**arguments)
        return json.loads(json.dumps(found)) | {"wall": 1.0}

    for module in (on_card, perplexity, pruning):
        monkeypatch.setattr(module, "fresh", run)


@pytest.mark.lengthy
@pytest.mark.usefixtures("here", "card")
@pytest.mark.parametrize("dtype", settings.DTYPES)
def test_every_row(dtype, monkeypatch):
    """In both dtypes: a share of the card's peak, memory and time of structured pruning, 2:4 or why not."""
    monkeypatch.setenv("PRUNING_LABS_DTYPE", dtype)
    rows, reasons = on_card.run(length=64, side=64, rounds=1)
    assert all(row.ratio > 0 for row in rows)
    said = [row.what for row in rows]
    assert sum(f"tiny, {dtype}: " in each for each in said) == 4
    assert sum("2:4" in each for each in said) + len(reasons) == 1
    assert REAL or "no 2:4 kernel" in reasons[0]


@pytest.mark.lengthy
@pytest.mark.usefixtures("here", "card")
def test_the_shared_rows_run_there_too():
    """Wanda end to end against the plain loop, and the deck's perplexity: same masks, same number."""
    assert len(pruning.run(rounds=1)[0]) == 2
    assert len(perplexity.run(length=64, rounds=1)[0]) == 2


@pytest.mark.usefixtures("here")
def test_no_rows_without_a_card(monkeypatch):
    """`make benchmark` on a CPU leaves them out."""
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cpu")
    assert on_card.run() == ([], [])
