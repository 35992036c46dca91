"""Every lab, its answers in place, with the course model on a card: no error, no noise, figures drawn."""

import pytest
from nbformat import v4

from benchmarks.lab_runs import execute
from grader import course
from grader.author import notebooks
from tests.course.test_labs import assert_ran_clean
from tests.gpu.conftest import REAL

pytestmark = [pytest.mark.gpu, pytest.mark.lengthy, pytest.mark.thorough]
ON_THE_STANDIN = """
from labsupport import settings
from tests.gpu import standin
standin.for_good()
settings.CUDA = settings.CPU
"""


@pytest.fixture(autouse=True)
def tiny_on_a_card(monkeypatch):
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    monkeypatch.setenv("PRUNING_LABS_DEVICE", "cuda")


@pytest.mark.skipif(not REAL, reason="the stand-in cannot imitate all of it, such as 2:4 kernels")
@pytest.mark.parametrize("lab", course.labs())
def test_a_lab_runs(lab):
    """Each in a kernel of its own, its checks included."""
    assert_ran_clean(execute(notebooks.source_notebook(lab)).notebook)


@pytest.mark.skipif(REAL, reason="here they run for real")
def test_all_labs_run_on_the_standin():
    """In one kernel, one after the other; the judges, which the checks would ask, have tests of their own."""
    cells = [v4.new_code_cell(ON_THE_STANDIN, id="standin")]
    for lab in course.labs():
        cells.append(v4.new_code_cell("%reset -f", id=f"reset-{lab[:2]}"))
        cells += [cell for cell in notebooks.source_notebook(lab).cells if not cell.id.startswith("check_")]
    assert_ran_clean(execute(v4.new_notebook(cells=cells)).notebook)
