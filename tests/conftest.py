"""What several test files share."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from grader.author.release import release
from labsupport import models, settings

SIDE_BY_SIDE = "PYTEST_XDIST_WORKER" in os.environ
torch.set_num_threads(1 if SIDE_BY_SIDE else min(2, torch.get_num_threads()))

# What starts sandboxes, watches a clock or needs all cores runs by itself; the rest may run side by side.
ALONE = (
    "class",
    "workers",
    "dask",
    "hostile",
    "sandbox",
    "shared",
    "warm",
    "verdicts",
    "notebooks",
    "embedded",
    "facts",
    "doctor",
    "report",
)


def pytest_collection_modifyitems(items):
    """Mark what must run alone: `make test` runs these tests after the others."""
    for item in items:
        markers = {marker.name for marker in item.iter_markers()}
        if item.path.stem.removeprefix("test_") in ALONE or markers & {"model", "notebook", "browser"}:
            item.add_marker("alone")


@pytest.fixture
def tiny_course(monkeypatch):
    """The course model of these tests is the tiny one, its texts short: the judge is the same."""
    for device in ("CPU", "CUDA"):
        short = replace(getattr(settings, device), model="tiny", window=64)
        monkeypatch.setattr(settings, device, short)


@pytest.fixture
def empty_course(tmp_path, monkeypatch):
    """A course folder with lab 02 released and nobody in it."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    release(["02_magnitude_pruning"])
    return tmp_path / "course"


@pytest.fixture(scope="session")
def tiny_model():
    """The tiny random Llama, shared: a test that changes it restores it."""
    return models.tiny()


@pytest.fixture(scope="session")
def course_model_cached() -> Path:
    """The folder of the embedded model, fetched into this user's cache when it is not there yet."""
    return models.fetch(models.EMBEDDED)


@pytest.fixture
def hub_cache(tmp_path, monkeypatch) -> Callable:
    """A hub cache of one's own; call it to put a repository there, laid out as the hub's library does."""
    root = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root))

    def put(repository: str, files: dict[str, bytes], kind: str = "model", revision: str = "main") -> Path:
        commit = "0" * 40
        folder = root / f"{kind}s--{repository.replace('/', '--')}"
        reference = folder / "refs" / revision
        reference.parent.mkdir(parents=True)
        reference.write_text(commit)
        for number, (name, content) in enumerate(files.items()):
            blob = folder / "blobs" / str(number)
            blob.parent.mkdir(exist_ok=True)
            blob.write_bytes(content)
            link = folder / "snapshots" / commit / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(blob)
        return folder

    return put
