"""The labs on the course model, each executed once for all tests of a run; the site, built once."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from benchmarks.lab_runs import Run, execute
from grader import course
from grader.author import notebooks
from tests.course.site_pages import build


@pytest.fixture(scope="session")
def on_course_model() -> Callable[[str], Run]:
    """Call it with the name of a lab: the lab with its answers, run from top to bottom."""

    @cache
    def run(lab: str) -> Run:
        with pytest.MonkeyPatch.context() as environment:
            environment.delenv("PRUNING_LABS_MODEL", raising=False)
            environment.delenv("PRUNING_LABS_TEXT", raising=False)
            return execute(notebooks.source_notebook(lab))

    return run


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The folder of the site."""
    pytest.importorskip("myst_nb", reason="the site's own requirements are not installed: make site")
    pytest.importorskip("furo", reason="the site's own requirements are not installed: make site")
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def pages(site) -> dict[Path, BeautifulSoup]:
    """Its pages by path."""
    found = {path: BeautifulSoup(path.read_text(), "html.parser") for path in (site / "html").rglob("*.html")}
    assert {f"{name}.html" for name in ("index", "sources", *course.labs())} <= {path.name for path in found}
    return found
