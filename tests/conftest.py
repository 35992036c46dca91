"""What several test files share."""

import gc
import os
import random
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import torch
from huggingface_hub import constants
from hypothesis import HealthCheck
from hypothesis import settings as properties
from hypothesis.internal.conjecture import providers

from grader.author.release import release
from labsupport import models, settings

SIDE_BY_SIDE = "PYTEST_XDIST_WORKER" in os.environ
torch.set_num_threads(1 if SIDE_BY_SIDE else min(2, torch.get_num_threads()))
if SIDE_BY_SIDE:
    os.environ["OMP_NUM_THREADS"] = "1"  # of kernels and commands too, which would wait for one another

# `make test` draws the same examples everywhere and always, `make explore` many others at every call.
NO_CLOCK = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
properties.register_profile("fixed", derandomize=True, database=None, **NO_CLOCK)
properties.register_profile("explore", max_examples=2000, database=None, print_blob=True, **NO_CLOCK)
properties.load_profile("fixed")


@pytest.hookimpl(trylast=True)
def pytest_configure():
    """What is drawn and what is heard is the same in every run.

    Hypothesis also draws numbers and strings that it reads in whatever modules are loaded by then. Which
    those are depends on the tests that ran before, so what is fixed does without. A run in the background
    of a shell hears no Ctrl-C, nor would the commands that tests start and interrupt.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if properties().derandomize:
        providers._get_local_constants = providers.Constants


def pytest_collection_modifyitems(config, items):
    """What is rare is run where it is asked for by name."""
    if "rare" in config.option.markexpr:
        return
    rare = [item for item in items if item.get_closest_marker("rare")]
    config.hook.pytest_deselected(items=rare)
    items[:] = [item for item in items if item not in set(rare)]


def pytest_collection_finish():
    """What is there before the first test stays to the end: no collection of garbage need look at it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def own_data(tmp_path_factory):
    """What the checks say to a test is no progress of the person who runs it."""
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def same_chance():
    """Whatever draws from a global generator draws the same in every run."""
    random.seed(0)
    numpy.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def tiny_course(monkeypatch):
    """The course model of these tests is the tiny one, its texts short: the judge is the same."""
    for device in ("CPU", "CUDA"):
        short = replace(getattr(settings, device), model="tiny", window=64)
        monkeypatch.setattr(settings, device, short)


@pytest.fixture(scope="session")
def course_seed() -> str:
    """What a course's hidden cases are made from. A new course draws one; a course to be tested has this."""
    return "2026112120261121\n"


@pytest.fixture(scope="session")
def released_course(tmp_path_factory, course_seed) -> Path:
    """A course folder with lab 02 released and nobody in it, made once: nbgrader takes seconds for one."""
    folder = tmp_path_factory.mktemp("released") / "course"
    folder.mkdir()
    (folder / "seed").write_text(course_seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNING_LABS_COURSE", str(folder))
        release(["02_magnitude_pruning"])
    return folder


@pytest.fixture
def folder(released_course, tmp_path, monkeypatch) -> Path:
    """A course folder of this test's own, with lab 02 released and nobody in it."""
    shutil.copytree(released_course, tmp_path / "course")
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    return tmp_path / "course"


@pytest.fixture
def empty_course(folder, monkeypatch) -> Path:
    """The same, for grading in a sandbox: the tiny model, one thread."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return folder


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
