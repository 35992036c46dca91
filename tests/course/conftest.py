"""The labs on the course model, each executed once for all tests of a run."""

from collections.abc import Callable
from functools import cache

import pytest

from grader.author import notebooks
from tests.course.lab_runs import Run, execute


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
