"""CPU seconds and peak memory of a command and of its own processes; this one loads nothing that counts."""

import os
import subprocess
import sys

FIRST_PAGE = """
from nbgrader.apps.api import NbGraderAPI
from grader import course
assert NbGraderAPI(config=course.config()).get_assignments()
"""


def grader(folder: str, words: list[str]) -> dict:
    """`python -m grader` with these words in that course."""
    return _spent([sys.executable, "-m", "grader", *words], folder)


def first_page(folder: str) -> dict:
    """What formgrader asks nbgrader for when it opens: every assignment, with its counts."""
    return _spent([sys.executable, "-c", FIRST_PAGE], folder)


def _spent(command: list[str], folder: str) -> dict:
    os.environ["PRUNING_LABS_COURSE"] = folder
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(started.pid, 0)
    if status:
        raise SystemExit(f"`{' '.join(command[1:4])}` ended with {os.waitstatus_to_exitcode(status)}")
    return {"seconds": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss * 1024}
