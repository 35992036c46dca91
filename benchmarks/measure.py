"""Measurements in fresh processes, taken in turn: nothing that ran before warms one up."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from grader.grade.local_pool import THREADS
from labsupport.errors import LabError

ROOT = Path(__file__).resolve().parent.parent


def fresh(job: str, python: str = sys.executable, **arguments) -> dict:
    """What a job returns in a process of its own, with `wall`, the seconds that process lived.

    job: "module:function", one that returns a dict of plain values; python: the interpreter that runs it.
    As many threads as torch takes by itself, one a core, unless the job says otherwise.
    Raises LabError, with the last line on standard error, when it fails.
    """
    command = [python, "-m", "benchmarks.job", job, json.dumps(arguments)]
    environment = {name: value for name, value in os.environ.items() if name not in THREADS}
    started = time.monotonic()
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    wall = time.monotonic() - started
    if ended.returncode:
        reason = (ended.stderr.strip() or "it does not say why").splitlines()[-1]
        raise LabError(f"The measurement {job} failed: {reason}")
    return {**json.loads(ended.stdout.splitlines()[-1]), "wall": wall}


def in_turn(jobs: dict[str, Callable[[], dict]], rounds: int) -> dict[str, dict]:
    """The medians of each job's numbers; the jobs run in turn, because the machine's speed drifts.

    A value that is no number is the last round's.
    """
    results: dict[str, list[dict]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            results[name].append(job())
    return {name: {key: middle([each[key] for each in seen]) for key in seen[0]}
            for name, seen in results.items()}  # fmt: skip


def middle(values: list):
    """The median of numbers; of anything else the last."""
    return statistics.median(values) if all(isinstance(v, int | float) for v in values) else values[-1]
