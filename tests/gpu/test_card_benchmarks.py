"""The benchmarks that a GPU alone can run: on the stand-in they run through, on a tiny shape."""

import importlib
import json
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import card as on_card
from benchmarks import peers, peers_job, perplexity, pruning, workload
from labsupport import settings
from tests.gpu.conftest import REAL

pytestmark = pytest.mark.gpu


@pytest.fixture
def here(tiny_course, monkeypatch):
    """The jobs run in this process, on the tiny model."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")

    def run(job, *_python, **arguments):
        module, function = job.split(":")
        found = getattr(importlib.import_module(f"benchmarks.{module}"), function)(**arguments)
        return json.loads(json.dumps(found)) | {"wall": 1.0}

    for module in (on_card, peers, perplexity, pruning):
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


@pytest.mark.lengthy
@pytest.mark.usefixtures("here", "card")
@pytest.mark.parametrize("random", [True, False])
def test_rows_beside_another_tool(random, monkeypatch):
    """On the card each method has its time, memory and zeros; its perplexity where weights are trained.

    Ours stands in for the other tool, which has an environment of its own.
    """

    def theirs(folder, **arguments):
        ours = peers_job.ours(folder=folder, **arguments)
        shutil.copytree(Path(folder, "ours"), Path(folder, "theirs"), dirs_exist_ok=True)
        return ours

    monkeypatch.setattr(peers, "environment", lambda: sys.executable)
    monkeypatch.setattr(peers_job, "theirs", theirs)
    if random:
        monkeypatch.setattr(workload, "LARGE", "tiny")
    rows, _ = peers.run()
    assert len(rows) == len(peers.METHODS) * (3 if random else 4)
    zeros = [row.ratio for row in rows if "zeros" in row.what]
    assert zeros == [1.0] * len(peers.METHODS)
    assert not any("CPU" in row.what for row in rows)


@pytest.mark.usefixtures("here")
def test_no_rows_without_a_card(monkeypatch):
    """`make benchmark` on a CPU leaves them out."""
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cpu")
    assert on_card.run() == ([], [])
