"""Runs labs in a kernel of their own, and watches the memory of that kernel."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from grader import course

BY_DEFAULT = ("03_wanda_calibration",)  # on the course model; the others: `make labs`
ON_COURSE_MODEL = [
    pytest.param(lab, marks=() if lab in BY_DEFAULT else pytest.mark.slow) for lab in course.labs()
]


@dataclass(frozen=True)
class Run:
    """An executed lab, the seconds that it took, and the peak memory of its kernel in bytes."""

    notebook: NotebookNode
    seconds: float
    peak: int


def execute(notebook: NotebookNode) -> Run:
    """Run a notebook in the python3 kernel, an error ending it with its message.

    The peak is that of the resident memory, mapped files included; 0 on a system without /proc. Labs 05 and
    08 reset the kernel's own high-water mark, so a thread reads it again and again.
    """
    client = NotebookClient(
        notebook, kernel_name="python3", timeout=1800, resources={"metadata": {"path": course.ROOT}}
    )
    peak, ended = 0, threading.Event()

    def watch(pid: int) -> None:
        nonlocal peak
        while not ended.wait(0.005):
            peak = max(peak, high_water(pid))

    def begin(notebook: NotebookNode) -> None:
        threading.Thread(target=watch, args=[client.km.provisioner.pid], daemon=True).start()

    client.on_notebook_start = begin
    start = time.perf_counter()
    try:
        client.execute()
    finally:
        ended.set()
    return Run(notebook, time.perf_counter() - start, peak)


def high_water(pid: int) -> int:
    """The peak resident memory of a process in bytes, since its mark was reset; 0 if it cannot be read."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
