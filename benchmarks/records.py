"""What the commands cost as a course fills: ten times as many records against fewer.

Every record is of one graded submission; the students differ, and so do their files.
"""

import os
import tempfile
from functools import partial
from itertools import pairwise
from pathlib import Path

from benchmarks.measure import fresh
from benchmarks.submissions import LAB, hand_in, without_course_model
from benchmarks.table import Row, megabytes, seconds

SIZES = (100, 1000, 10000)
NEW = "s-new"


def run(sizes: tuple[int, ...] = SIZES) -> tuple[list[Row], list[str]]:
    """CPU seconds and peak memory of each command, each size against the one before."""
    found = {size: _course(size) for size in sizes}
    rows = []
    for smaller, larger in pairwise(sizes):
        for what, more in found[larger].items():
            less = found[smaller][what]
            goal = "<= 1.2" if what == "grade one more" else f"<= {larger // smaller}"
            name = f"{what}, {larger:,} records against {smaller:,}"
            times = [one["seconds"] for one in (less, more)]
            peaks = [one["peak"] for one in (less, more)]
            rows.append(Row(f"{name}: CPU time", *map(seconds, times), ratio=times[1] / times[0], goal=goal))
            rows.append(Row(f"{name}: peak memory", *map(megabytes, peaks), ratio=peaks[1] / peaks[0]))
    return rows, []


def _course(size: int) -> dict[str, dict]:
    """Each command on a course of this size, by what it does."""
    with tempfile.TemporaryDirectory() as folder:
        measure = partial(fresh, "commands:grader", folder=folder)
        fresh("ours:release", folder=folder)
        fresh("records:fill", folder=folder, size=size)
        csv = str(Path(folder) / "scores.csv")
        found = {
            "grades": measure(words=["grades", LAB, "--csv", csv]),
            "report": measure(words=["report", LAB]),
            "feedback of one": measure(words=["feedback", LAB, "--student", "s00000"]),
            "formgrader's first page": fresh("commands:first_page", folder=folder),
        }
        hand_in(Path(folder), {NEW: without_course_model(size)})
        found["grade one more"] = measure(words=["grade", LAB, "--student", NEW])
        return found


def fill(folder: str, size: int) -> dict:
    """So many graded submissions in journal and gradebook; one was graded, and the rest are like it."""
    os.environ["PRUNING_LABS_COURSE"] = folder
    from msgspec.structs import replace

    from grader.grade import journal
    from grader.grade.class_run import grade_class
    from grader.intake import submitted
    from grader.results import gradebook

    hand_in(Path(folder), {f"s{n:05d}": without_course_model(n) for n in range(size)})
    (first,) = grade_class(LAB, ["s00000"])
    handed = submitted.submissions(LAB)
    records = [replace(first, student=each.student, submission=each.digest) for each in handed]
    for record in records:
        journal.write(record)
    gradebook.hand_over(LAB, records)
    return {"records": len(records)}
