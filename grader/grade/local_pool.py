"""A pool of local processes that grade in parallel, limited by memory; they share the cores.

A process that ends costs only the submission that it graded, and is replaced. All end with their parent.
"""

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

import torch

from grader.grade import cards, memory
from grader.grade.journal import Record
from grader.grade.submission import Task, grade
from grader.sandbox import zygote_client
from labsupport.errors import LabError
from labsupport.progress import Bar

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Pool:
    """An interface to grading processes: number in parallel, submission of a task, receipt of a record.

    record: None if the process ended before there was one.
    """

    width: Callable[[], int]
    submit: Callable[[Task], Future]
    record: Callable[[Task, Future], Record | None]


@contextlib.contextmanager
def local(workers: int) -> Iterator[Pool]:
    """A context with local processes, each with a thread here that waits for it, and with a card, if any."""
    idle: SimpleQueue[tuple[ProcessPoolExecutor, str]] = SimpleQueue()
    free: SimpleQueue[str] = SimpleQueue()
    dealt = cards.dealt(workers) or [""]
    for number in range(workers):
        free.put(dealt[number % len(dealt)])
    with contextlib.ExitStack() as later, ThreadPoolExecutor(workers) as threads:

        def graded(task: Task) -> Record | None:
            try:
                process, card = idle.get_nowait()
            except Empty:
                card = free.get()
                process = started(workers, card)
                later.callback(process.shutdown)
            try:
                record = process.submit(grade, task).result()
            except BrokenProcessPool:
                free.put(card)
                return None
            idle.put((process, card))
            return record

        yield Pool(
            lambda: workers, lambda task: threads.submit(graded, task), lambda _, future: future.result()
        )


def started(workers: int, card: str = "") -> ProcessPoolExecutor:
    """A new process that can grade, one of so many, on this card. Raises LabError if it ends at once."""
    process = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    try:
        process.submit(prepare, max(1, cores() // workers), zygote_client.zygote.address, card).result()
    except BrokenProcessPool as fault:
        raise LabError(
            "A grading process was killed from outside before it graded, perhaps because memory ran out. "
            "All finished records are kept; run the same command again, with fewer workers."
        ) from fault
    return process


def prepare(threads: int, zygote: Path | None, card: str = "") -> None:
    """Initialise a local worker: its end, and the number of threads for its judges and its sandboxes.

    Environment variables set by the user have precedence. zygote: the socket of the shared zygote; card: the
    GPU of its judges and sandboxes.
    """
    if card:
        os.environ["PRUNING_LABS_DEVICE"] = card
    if parent := multiprocessing.parent_process():
        threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    zygote_client.zygote.lend(zygote)
    if THREADS[0] not in os.environ:
        torch.set_num_threads(threads)
    for name in THREADS:
        os.environ.setdefault(name, str(threads))


def end_with(parent) -> None:
    """End this process when its parent has ended, however that was; its sandboxes end with it."""
    parent.join()
    os._exit(1)


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def affordable(workers: int) -> int:
    """The number of workers that fit into memory and on the cards; prints a sentence if it is less."""
    if cards.named() and (there := len(cards.dealt(workers))) < workers:
        Bar.write(f"{there} of {workers} workers run: one may take {cards.need() / 2**30:.1f} GiB of a GPU.")
        workers = there
    count = memory.fitting(workers)
    if count < workers:
        Bar.write(
            f"{count} of {workers} workers run: one may take {memory.need() / 2**30:.1f} GiB of memory, and "
            f"{memory.available() / 2**30:.1f} GiB are free."
        )
    return count
