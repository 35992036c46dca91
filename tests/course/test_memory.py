"""No lab takes more than its share of the memory, also for a moment."""

import sys

import pytest
from nbformat import v4

from benchmarks.lab_runs import execute
from benchmarks.minutes import MEMORY
from labsupport import settings
from tests.course.lab_runs import ON_COURSE_MODEL

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.lengthy
def test_a_peak_is_seen_though_the_mark_is_reset():
    """Labs 05 and 08 reset the high-water mark of their kernel while they measure."""
    cells = [
        "import time; block = bytearray(b'1') * 300_000_000; time.sleep(0.1); del block",
        "open('/proc/self/clear_refs', 'w').write('5');",
    ]
    run = execute(v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells]))
    assert 300_000_000 < run.peak < 600_000_000


@pytest.mark.notebook
@pytest.mark.skipif(settings.device().type == "cuda", reason="CUDA takes gigabytes of its own")
@pytest.mark.parametrize("lab", ON_COURSE_MODEL)
def test_a_lab_fits_its_share_of_the_memory(lab, on_course_model, capsys):
    run = on_course_model(lab)
    with capsys.disabled():
        print(f"\n{lab}: {run.peak / 1e9:.2f} GB")
    assert run.peak <= MEMORY
