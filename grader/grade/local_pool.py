"""A pool of local processes that grade in parallel, limited by memory; they share the cores."""

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
    """An interface to grading processes: number in parallel, submission of a task, receipt of a record."""

    width: Callable[[], int]
    submit: Callable[[Task], Future]
    record: Callable[[Task, Future], Record]


@contextlib.contextmanager
def local(workers: int) -> Iterator[Pool]:
    """A context with local processes, each started on demand."""
    start = ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),
        initializer=prepare,
        initargs=(max(1, cores() // workers), zygote_client.zygote.address),
    )
    with start as executor:
        yield Pool(lambda: workers, lambda task: executor.submit(grade, task), _record)


def prepare(threads: int, zygote: Path | None) -> None:
    """Initialise a local worker: its number of threads, for its judges and its sandboxes.

    Environment variables set by the user have precedence. zygote: the socket of the shared zygote.
    """
    zygote_client.zygote.lend(zygote)
    if THREADS[0] not in os.environ:
        torch.set_num_threads(threads)
    for name in THREADS:
        os.environ.setdefault(name, str(threads))


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def affordable(workers: int) -> int:
    """The number of workers that fit into memory; prints a sentence if it is less than `workers`."""
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
            "A grading process was killed from outside, perhaps because memory ran out. "
            "All finished records are kept; run the same command again, with fewer workers."
        ) from fault
