"""Processes of this machine that grade side by side: as many as there is memory for, the cores shared out."""

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch

from grader.grade import memory
from grader.grade.journal import Record
from grader.grade.submission import Task, grade
from grader.sandbox import zygote_client
from labsupport.errors import LabError
from labsupport.progress import Bar

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Pool:
    """Where submissions are graded: how many at a time, how one is sent there, how one comes back."""

    width: Callable[[], int]
    submit: Callable[[Task], Future]
    record: Callable[[Task, Future], Record]


@contextlib.contextmanager
def local(workers: int) -> Iterator[Pool]:
    """Processes of this machine, each started when there is work for it."""
    start = ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),
        initializer=prepare,
        initargs=(max(1, cores() // workers), zygote_client.zygote.address),
    )
    with start as executor:
        yield Pool(lambda: workers, lambda task: executor.submit(grade, task), _record)


def prepare(threads: int, zygote: Path | None) -> None:
    """The first thing in every local worker: its share of the cores, for its judges and its sandboxes.

    What the user has set in the environment stands. zygote: where the one of all workers listens.
    """
    zygote_client.zygote.lend(zygote)
    if THREADS[0] not in os.environ:
        torch.set_num_threads(threads)
    for name in THREADS:
        os.environ.setdefault(name, str(threads))


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def affordable(workers: int) -> int:
    """How many of these workers are started: as many as there is memory for, and a sentence if fewer."""
    count = memory.fitting(workers)
    if count < workers:
        Bar.write(
            f"{count} of {workers} workers run: one may take {memory.need() / 2**30:.1f} GiB of memory, and "
            f"{memory.available() / 2**30:.1f} GiB are free."
        )
    return count


def _record(task: Task, future: Future) -> Record:
    try:
        return future.result()
    except BrokenProcessPool as fault:
        raise LabError(
            "A grading process was killed from outside, perhaps for want of memory. "
            "All finished records are kept; run the same command again, with fewer workers."
        ) from fault
