"""Five days of .ci/run execute every lab on the course model."""

import subprocess
import sys
from datetime import date, timedelta

import pytest

from grader import course
from tests.course import lab_of_the_day
from tests.course.lab_runs import BY_DEFAULT


def test_five_days_have_every_lab_once():
    """Those that `make test` executes anyway have no day; a new lab gets one."""
    first = date(2026, 11, 27)
    days = [lab_of_the_day.share(first + timedelta(days=day)) for day in range(len(lab_of_the_day.SHARES))]
    assert sorted(lab for day in days for lab in day) == sorted(set(course.labs()) - set(BY_DEFAULT))
    assert lab_of_the_day.share(first) == lab_of_the_day.share(first + timedelta(days=len(days)))


@pytest.mark.lengthy
def test_ci_asks_for_them(capsys):
    """The last line of .ci/run finds three tests of each of the day's labs, and no others."""
    (asked,) = [
        line for line in (course.ROOT / ".ci" / "run").read_text().splitlines() if "lab_of_the_day" in line
    ]
    assert asked == "labs=$(.venv/bin/python -m tests.course.lab_of_the_day)"
    lab_of_the_day.main(["2026-11-27"])
    wanted = capsys.readouterr().out.strip()
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/course"]
    found = subprocess.run(
        [*command, "-m", "notebook and slow", "-k", wanted], cwd=course.ROOT, capture_output=True, text=True
    )
    tests = [line for line in found.stdout.splitlines() if "::" in line]
    labs = lab_of_the_day.share(date(2026, 11, 27))
    assert len(tests) == 3 * len(labs) and all(any(lab in test for lab in labs) for test in tests)
