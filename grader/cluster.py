"""Grading on the workers of a Dask scheduler, which share nothing with this machine but the code.

A submission goes there as bytes and its record comes back. A worker that dies has its work done again
elsewhere. This file is imported on the workers too; `distributed` itself only where it is asked for.
"""

import contextlib
import hashlib
import logging
import os
import platform
import re
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from functools import cache as once
from pathlib import Path

import labsupport
from grader.executors import Pool
from grader.grading import Task, grade
from grader.journal import GRADER_ERROR, Record
from labsupport import settings
from labsupport.progress import Bar
from labsupport.settings import LabError

CONNECT = 10  # seconds that a scheduler has to answer
AGAIN = 2  # times that a worker which could not grade a submission hands it back
NAMES = ("PRUNING_LABS_MODEL", "PRUNING_LABS_TEXT")
GONE = (
    "The scheduler at {} is gone. All finished records are kept; "
    "run the same command again when there is one."
)
_alone = threading.Lock()  # judges share models: one submission at a time in a worker, whatever its threads


@dataclass(frozen=True)
class Circumstances:
    """What a verdict depends on besides the task, which must be the same wherever a class is graded."""

    code: str  # digest of labsupport and grader
    sizes: str  # model, text, windows
    device: str  # "cpu" or "cuda"


def grade_there(task: Task, names: dict[str, str], expected: Circumstances) -> Record:
    """Grade on a worker. Raises LabError when this worker would grade otherwise than the others."""
    with _alone:
        here = circumstances(names)
        if here.code != expected.code:
            raise LabError(
                f"The worker on {platform.node()} has another labsupport or grader than this machine: "
                "install the same version there, restart the worker, and run the same command again."
            )
        if here != expected:
            raise LabError(
                f"The worker on {platform.node()} computes on {here.device} with {here.sizes}, another on "
                f"{expected.device} with {expected.sizes}: one class needs workers of one kind. "
                "Start those with a GPU with `--resources GPU=1`."
            )
        return grade(task)


def circumstances(names: dict[str, str]) -> Circumstances:
    """Those of this process, when model and text are these."""
    for name in NAMES:
        os.environ.pop(name, None)
    os.environ.update(names)
    return Circumstances(code(), str(settings.current()), settings.device().type)


@once
def code() -> str:
    """Digest of the packages that grade, as they are installed here."""
    digest = hashlib.sha256()
    for package in (Path(labsupport.__file__).parent, Path(__file__).parent):
        for path in sorted(package.rglob("*.py")):
            digest.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


class Cluster:
    """The workers of a scheduler, as a pool; those that announce a GPU alone, when there are any."""

    def __init__(self, client, address: str):
        self.client, self.address = client, address
        self.names = {name: os.environ[name] for name in NAMES if os.environ.get(name)}
        needs = {"resources": {"GPU": 1}} if self._first_workers() else {}
        self.gpu = bool(needs)
        self.executor = client.get_executor(pure=False, retries=AGAIN, **needs)
        self.circumstances = self._result(self.executor.submit(circumstances, self.names))

    def pool(self) -> Pool:
        return Pool(self._width, self._submit, self._record)

    def version(self, version: str) -> str:
        """A course version as this machine makes it, told apart when the workers compute otherwise."""
        here = circumstances(self.names)
        if (here.sizes, here.device) == (self.circumstances.sizes, self.circumstances.device):
            return version
        return hashlib.sha256(f"{version} {self.circumstances}".encode()).hexdigest()[:16]

    def _first_workers(self) -> bool:
        """Wait until there is a worker. Whether one announces a GPU."""
        said = False
        while not (workers := self._workers()):
            if not said:
                Bar.write(f"The scheduler at {self.address} has no workers yet; waiting for the first.")
            said = True
            time.sleep(0.5)
        return any(worker["resources"].get("GPU") for worker in workers)

    def _workers(self) -> list[dict]:
        with self._connected():
            return list(self.client.scheduler_info()["workers"].values())

    def _width(self) -> int:
        """One submission a worker: none waits behind one that may kill its worker."""
        able = [worker for worker in self._workers() if not self.gpu or worker["resources"].get("GPU")]
        return max(1, len(able))

    def _submit(self, task: Task) -> Future:
        with self._connected(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")  # a notebook with figures
            return self.executor.submit(grade_there, task, self.names, self.circumstances)

    def _record(self, task: Task, future: Future) -> Record:
        from distributed import KilledWorker

        try:
            return self._result(future)
        except KilledWorker as fault:
            given, times = task.submission, fault.allowed_failures + 1
            reason = f"The grader failed: its worker died, {times} times in a row."
            return Record(given.student, given.lab, given.digest, task.version, GRADER_ERROR, reason,
                          submitted_at=given.submitted_at, flags=list(given.flags))  # fmt: skip

    def _result(self, future: Future):
        from distributed import KilledWorker

        try:
            return future.result()
        except (LabError, KilledWorker):
            raise
        except CancelledError as fault:
            raise LabError(GONE.format(self.address)) from fault
        except Exception as fault:  # grade() itself lets nothing else out
            raise LabError(
                f"A worker of {self.address} cannot grade ({type(fault).__name__}: {fault}): this project "
                "must be installed there, at this version. All finished records are kept."
            ) from fault

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        """Turns the scheduler's disappearance into one sentence."""
        try:
            if self.client.status != "running":
                raise ConnectionError
            yield
        except OSError as fault:
            raise LabError(GONE.format(self.address)) from fault


@contextlib.contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """The workers of the scheduler at an address such as tcp://10.0.0.7:8786, as long as the block runs."""
    try:
        from distributed import Client
    except ImportError:
        raise LabError(
            "--scheduler needs the package 'distributed': `python -m pip install --constraint "
            "constraints.txt distributed`."
        ) from None
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what is wrong is said once, by us
    try:
        place = re.fullmatch(r"(?:tcp://|tls://)?\[?([^\s/]+?)\]?:([0-9]{1,5})", address)
        if place is None:
            raise ValueError(address)
        socket.create_connection((place[1], int(place[2])), CONNECT).close()  # says no at once
        client = Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError, OverflowError) as fault:
        raise LabError(
            f"There is no scheduler at {address}: start one (`dask scheduler`), "
            "and give the address that it prints, such as tcp://10.0.0.7:8786."
        ) from fault
    try:
        yield Cluster(client, address)
    finally:
        client.close(timeout=2)
