"""Every lab, its answers in place, with the course model on a card: no error, every check right."""

import pytest
from nbformat import v4

from grader import course
from grader.author import notebooks
from tests.course.lab_runs import execute
from tests.course.test_labs import assert_ran_clean
from tests.gpu.conftest import REAL

pytestmark = [pytest.mark.gpu, pytest.mark.lengthy]
ON_THE_STANDIN = """
from dataclasses import replace
from labsupport import settings
from tests.gpu import standin
standin.for_good()
settings.CUDA = replace(settings.CUDA, window=64, evaluation_windows=2, calibration_windows=2)
"""


@pytest.mark.parametrize("lab", course.labs())
def test_a_lab_runs(lab, monkeypatch):
    """On the tiny model; a real card also runs what the stand-in cannot imitate, such as 2:4 kernels."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cuda")
    notebook = notebooks.source_notebook(lab)
    notebook.cells.insert(0, v4.new_code_cell("" if REAL else ON_THE_STANDIN, id="standin"))
    assert_ran_clean(execute(notebook).notebook)
