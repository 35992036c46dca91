"""The project's address is set in pyproject.toml alone; README, CITATION.cff and the site say the same."""

import sys

import pytest
import yaml

from grader.course import ROOT

EXAMPLE = "https://example.org/labs"


@pytest.fixture
def address(monkeypatch):
    """The module of site/."""
    monkeypatch.syspath_prepend(str(ROOT / "site"))
    import address

    yield address
    for name in ("address", "front", "project"):
        sys.modules.pop(name, None)


def test_the_files_agree(address):
    """Whoever reads README or cites the project finds the address that the package names, or none."""
    for name, change in (("README.md", address.readme), ("CITATION.cff", address.citation)):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert text == change(text, address.address()), f"run `python site/address.py`: {name}"


def test_one_line_is_enough(address, monkeypatch, tmp_path):
    """Set, changed or taken away again, the address stands once in each file, and on the first page."""
    assert "\nurls = {}" in (ROOT / "pyproject.toml").read_text() or address.address()
    project = tmp_path / "pyproject.toml"
    project.write_text(f'[project]\nurls = {{ Source = "{EXAMPLE}" }}\n')
    assert address.address(project) == EXAMPLE
    for name, change in (("README.md", address.readme), ("CITATION.cff", address.citation)):
        without = change((ROOT / name).read_text(encoding="utf-8"), "")
        once = change(change(without, EXAMPLE + "/old"), EXAMPLE)
        assert once.count(EXAMPLE) == 1 and "/old" not in once and change(once, "") == without
    assert yaml.safe_load(once)["repository-code"] == EXAMPLE
    import front

    assert EXAMPLE not in front._project()
    monkeypatch.setattr(front, "address", lambda: EXAMPLE)
    assert f"({EXAMPLE})" in front._project()
