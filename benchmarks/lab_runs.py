"""Runs a lab in a kernel of its own, and watches that kernel's memory and the time of each cell."""

import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets import CaselessStrEnum, default

from benchmarks.job import high_water
from grader import course


@dataclass(frozen=True)
class Run:
    """An executed lab, the seconds that it took, and the peak memory of its kernel in bytes."""

    notebook: NotebookNode
    seconds: float
    peak: int


class OnFiles(AsyncKernelManager):
    """A kernel that is reached by sockets in the file system: a free port may be taken a moment later.

    The sockets lie in a folder of their own, which goes with the manager: without it they would lie where the
    kernel works, which is the checkout.
    """

    transport = CaselessStrEnum(["tcp", "ipc"], default_value="ipc")

    @default("ip")
    def _begin_of_names(self) -> str:
        self.folder = tempfile.TemporaryDirectory(prefix="kernel-", ignore_cleanup_errors=True)
        return f"{self.folder.name}/socket"


def execute(notebook: NotebookNode) -> Run:
    """Run a notebook in the python3 kernel, an error ending it with its message.

    The peak is that of the resident memory, mapped files included; 0 on a system without /proc. Labs 05 and
    08 reset the kernel's own high-water mark, so a thread reads it again and again.
    """
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        kernel_manager_class=OnFiles,
        timeout=1800,
        resources={"metadata": {"path": course.ROOT}},
    )
    peak, ended = 0, threading.Event()

    def watch(pid: int) -> None:
        nonlocal peak
        while not ended.wait(0.005):
            peak = max(peak, high_water(pid))

    def begin(notebook: NotebookNode) -> None:
        kernel: Any = client.km
        threading.Thread(target=watch, args=[kernel.provisioner.pid], daemon=True).start()

    client.on_notebook_start = begin
    start = time.perf_counter()
    try:
        client.execute()
    finally:
        ended.set()
    return Run(notebook, time.perf_counter() - start, peak)


def cell_seconds(cell: NotebookNode) -> float:
    """How long an executed cell kept its kernel busy, by the kernel's own messages."""
    busy, idle = (
        datetime.fromisoformat(cell.metadata.execution[f"iopub.status.{state}"]) for state in ("busy", "idle")
    )
    return (idle - busy).total_seconds()
