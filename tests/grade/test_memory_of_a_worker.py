"""Six workers fit a machine of 16 GB: what a worker holds for itself, on the course model."""

import sys

import pytest

from benchmarks import submissions
from benchmarks.classes import released
from benchmarks.measure import fresh
from labsupport import settings

MOST = 2 * 2**30  # bytes: judge, sandbox and the sandbox's parent, without the weights' file


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.skipif(settings.device().type == "cuda", reason="CUDA takes gigabytes of its own")
def test_a_worker_holds_its_share(tmp_path, capsys):
    """Judge and sandbox share the weights that neither changes; the student's model is the one copy."""
    work = submissions.signed(submissions.with_answers(), "of the worker")
    submissions.hand_in(tmp_path, {"one": work.encode()})
    released(fresh("ours:release", folder=str(tmp_path)))
    found = fresh("ours:grade", folder=str(tmp_path), seconds=300, options=["--workers", "1"])
    with capsys.disabled():
        print(f"\na worker: {found['own'] / 2**30:.2f} GiB of its own, {found['peak'] / 2**30:.2f} in all")
    assert found["full"] == ["one"]
    assert 2**29 < found["own"] <= MOST
