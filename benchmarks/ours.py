"""This course's own grading, from the command line's `grade`."""

import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.family import Peak
from benchmarks.submissions import LAB
from grader import course
from grader.grade.local_pool import cores


def release(folder: str) -> dict:
    """`python -m grader release` in that course."""
    return {"status": command(folder, "release", LAB)}


def grade(folder: str, seconds: int, options: Sequence[str] = ()) -> dict:
    """`python -m grader grade` in that course: seconds by phase, peak memory, and who has all the points.

    options: more words of that command; by default there is a worker for each core.
    """
    from grader.grade import journal
    from grader.results import gradebook

    entered, spent = gradebook.hand_over, []

    def hand_over(*arguments):
        started = time.monotonic()
        entered(*arguments)
        spent.append(time.monotonic() - started)

    gradebook.hand_over = hand_over
    with Peak() as family:
        workers = ["--workers", str(cores())]
        status = command(folder, "grade", LAB, "--timeout", str(seconds), *workers, *options)
    if status == 2:
        sys.exit(status)  # the sentence is on standard error
    records = journal.records(LAB)
    phases = Counter()
    for record in records:
        phases.update(record.phases)
    return {
        "phases": {**phases, "gradebook": sum(spent)},
        "peak": family.bytes,
        "own": family.own,
        "full": [each.student for each in records if each.verdicts and each.score() == each.points()],
        "each": [sum(record.phases.values()) for record in records],
        "scores": [each.score() for each in records],
    }


def command(folder: str, *words: str) -> int:
    """One of the grader's commands in that course; its exit status, 1 when a submission ended otherwise."""
    os.environ["PRUNING_LABS_COURSE"] = folder
    from grader.__main__ import main

    assert course.folder() == Path(folder)
    return main(list(words))
