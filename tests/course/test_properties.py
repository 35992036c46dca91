"""Properties: what `make test` draws is the same everywhere, so that it fails for a change or not at all."""

import importlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def drawn() -> list:
    found = []

    @given(st.integers() | st.text())
    def collect(value):
        found.append(value)

    collect()
    return found


def test_what_is_drawn_depends_on_nothing(tmp_path, monkeypatch):
    """Not on chance, and not on the numbers in modules that others have loaded: a failure comes again."""
    if not settings().derandomize:
        pytest.skip("this run explores")
    before = drawn()
    (tmp_path / "just_loaded.py").write_text(f"NUMBERS = {list(range(10**6, 10**6 + 200))}")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("just_loaded")
    assert drawn() == before
