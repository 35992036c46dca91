"""A cache of models that somebody keeps for a whole hub: read by all, and nobody's own things go there."""

import os

import pytest

from labsupport import models, standing
from labsupport.errors import LabError
from labsupport.fetch import cache


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """A cache folder of root's, seen by another user with a home of their own."""
    place = tmp_path / "shared"
    place.mkdir()
    monkeypatch.setenv("PRUNING_LABS_CACHE", str(place))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home" / "data"))
    own, keeper = os.getuid(), place.owner()
    monkeypatch.setattr(os, "getuid", lambda: own + 4711)
    return place, keeper


def test_own_things_are_at_home(shared, tmp_path):
    """Progress and measurements go to the user's folders; what the shared one holds is read there."""
    place, _ = shared
    assert standing.folder().is_relative_to(tmp_path / "home" / "data")
    assert cache.own().is_relative_to(tmp_path / "home" / "cache")
    assert cache.stored("task").is_relative_to(tmp_path / "home" / "cache")
    (place / "task").mkdir()
    assert cache.stored("task") == place / "task"
    assert cache.folder() == place


def test_an_empty_one_says_whom_to_ask(shared, monkeypatch):
    place, keeper = shared

    def refused(self, *_arguments, **_options):
        raise PermissionError(13, "Permission denied", self.lock_file)

    monkeypatch.setattr(cache.FileLock, "acquire", refused)
    sentence = f"{place} belongs to {keeper}. Ask {keeper} to run `python -m labsupport fetch` there"
    with pytest.raises(LabError, match=sentence):
        models.location(models.EMBEDDED)
    lock = place / f".{models.EMBEDDED}.lock"  # another user is at it, or was
    lock.touch()
    with pytest.raises(LabError, match=f"{lock} belongs to {keeper}"):
        models.location(models.EMBEDDED)


def test_a_folder_of_ones_own_holds_everything(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNING_LABS_CACHE", str(tmp_path / "not yet there"))
    assert cache.own() == cache.folder() == tmp_path / "not yet there"
    assert standing.folder() == tmp_path / "not yet there" / "checks"
