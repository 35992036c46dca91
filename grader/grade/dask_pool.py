"""Grading on the workers of a Dask scheduler, which share only the code with this machine.

A submission is sent as bytes, and its record is returned. The task of a dead worker runs again on another
one. `distributed` is imported only if a scheduler is used.
"""

import contextlib
import hashlib
import logging
import os
import pickle
import re
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import replace

from grader.grade import version
from grader.grade.dask_worker import DEVICE, NAMES, circumstances, grade_there
from grader.grade.journal import Record
from grader.grade.local_pool import Pool
from grader.grade.submission import Task, set_aside
from labsupport.errors import LabError
from labsupport.progress import Bar

CONNECT = 10  # seconds; timeout for the scheduler
AGAIN = 2  # retries of a submission that a worker could not grade
GONE = (
    "The scheduler at {} is gone. All finished records are kept; "
    "run the same command again when there is one."
)


class Cluster:
    """The workers of a scheduler as a pool; only those with a GPU resource, if there are any."""

    def __init__(self, client, address: str):
        self.client, self.address = client, address
        self.names = {name: os.environ[name] for name in (*NAMES, DEVICE) if os.environ.get(name)}
        self.gpu = self.waits = False
        self.gpu = any(dask_worker["resources"].get("GPU") for dask_worker in self._first_workers())
        needs = {"resources": {"GPU": 1}} if self.gpu else {}
        self.executor = client.get_executor(pure=False, retries=AGAIN, **needs)
        first = self._result(self._call(circumstances, self.names))
        self.circumstances = replace(first, code=version.code())

    def pool(self) -> Pool:
        """The workers as a pool for class_run."""
        return Pool(self._width, self._submit, self._record)

    def version(self, here: str) -> str:
        """The course version; another one than `here` if the workers' device or sizes differ."""
        there = self.circumstances
        if circumstances(self.names) == there:
            return here
        return hashlib.sha256(f"{here} {there.device} {there.sizes}".encode()).hexdigest()[:16]

    def _first_workers(self) -> list[dict]:
        """Wait for the first workers."""
        while not (workers := self._workers()):
            time.sleep(0.5)
        return workers

    def _workers(self) -> list[dict]:
        """The scheduler's data on each usable worker; prints once when there is none."""
        with self._connected():
            workers = self.client.scheduler_info()["workers"].values()
        able = [dask_worker for dask_worker in workers if not self.gpu or dask_worker["resources"].get("GPU")]
        if not able and not self.waits:
            kind = " with a GPU" if self.gpu else ""
            Bar.write(f"The scheduler at {self.address} has no worker{kind} now; waiting for one.")
        self.waits = not able
        return able

    def _width(self) -> int:
        """One submission per worker, so that none waits behind one that may kill its worker."""
        return max(1, len(self._workers()))

    def _submit(self, task: Task) -> Future:
        return self._call(grade_there, task, self.names, self.circumstances)

    def _call(self, function: Callable, *arguments) -> Future:
        """Call a function of dask_worker.py on a worker; its result is returned as bytes.

        Arguments are bytes too: the scheduler unpickles nothing, so it needs neither this project nor torch.
        """

        def there(name: str, packed: bytes) -> bytes:  # pickled by value
            from grader.grade import dask_worker

            return dask_worker.call(name, packed)

        with self._connected(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")  # a notebook with figures
            return self.executor.submit(there, function.__name__, pickle.dumps(arguments))

    def _record(self, task: Task, future: Future) -> Record:
        from distributed import KilledWorker

        try:
            return self._result(future)
        except LabError as problem:
            fault = problem.__cause__
            if not isinstance(fault, KilledWorker):
                raise
            return set_aside(task, fault.allowed_failures + 1)

    def _result(self, future: Future):
        try:
            return pickle.loads(future.result())
        except LabError:
            raise
        except CancelledError as fault:
            raise LabError(GONE.format(self.address)) from fault
        except Exception as fault:  # grade() raises nothing else
            raise LabError(
                f"A worker of {self.address} cannot grade ({type(fault).__name__}: {fault}): this project "
                "must be installed there, at this version. All finished records are kept."
            ) from fault

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        """A context that turns a lost scheduler into a LabError."""
        try:
            if self.client.status != "running":
                raise ConnectionError
            yield
        except OSError as fault:
            raise LabError(GONE.format(self.address)) from fault


@contextlib.contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """A context with the workers of the scheduler at an address such as tcp://10.0.0.7:8786."""
    try:
        from distributed import Client
    except ImportError:
        raise LabError(
            "--scheduler needs the package 'distributed': `python -m pip install --constraint "
            "constraints.txt distributed`."
        ) from None
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # we report errors once
    try:
        knock(address)
        client = Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError) as fault:  # TypeError: a worker's address, not its scheduler's
        raise LabError(
            f"There is no scheduler at {address}: start one (`dask scheduler`), "
            "and give the address that it prints, such as tcp://10.0.0.7:8786."
        ) from fault
    try:
        yield Cluster(client, address)
    finally:
        client.close(timeout=2)


def knock(address: str) -> None:
    """Raise OSError or ValueError unless a server with Dask's protocol listens at the address.

    Dask's client waits forever for a silent server, and trusts the message lengths of any other server.
    """
    place = re.fullmatch(r"(tcp://|tls://|)\[?([^\s/]+?)\]?:([0-9]{1,5})", address)
    if place is None or int(place[3]) >= 2**16:  # the C library would take 99999 for 34463
        raise ValueError(address)
    with socket.create_connection((place[2], int(place[3])), CONNECT) as door:
        if place[1] != "tls://":  # with TLS the client begins the handshake
            length = int.from_bytes(door.recv(8, socket.MSG_WAITALL), "little")
            if not 0 < length < 2**20:  # length of the scheduler's first message
                raise ConnectionError(address)
