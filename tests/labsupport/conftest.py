"""What several tests of measurements share."""

import pytest

from labsupport import reported
from labsupport.comparison import setting
from labsupport.fetch import hub
from labsupport.steps import record
from tests.labsupport.small_hub import fill, saved


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The tiny model, a cache folder of its own, and few documents and steps."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    monkeypatch.setenv("PRUNING_LABS_CACHE", str(tmp_path / "cache"))
    return setting(limit=4, steps=2)


@pytest.fixture
def offline(hub_cache, monkeypatch, tmp_path):
    """A hub cache with all that the report's steps need, an empty folder to work in, and no network."""
    monkeypatch.setenv("PRUNING_LABS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    monkeypatch.setattr(hub, "reachable", lambda: False)
    folder = saved(tmp_path / "stored")
    fill(hub_cache, folder)
    monkeypatch.setattr(reported, "WEIGHTS", record.digest(folder))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return folder
