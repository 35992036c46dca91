"""What several tests of measurements share."""

import pytest

from labsupport.comparison import setting


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The tiny model, a cache folder of its own, and few documents and steps."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    monkeypatch.setenv("PRUNING_LABS_CACHE", str(tmp_path / "cache"))
    return setting(limit=4, steps=2)
