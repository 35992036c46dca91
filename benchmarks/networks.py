"""Dask workers, each in a network of its own, on one machine: Linux's network namespaces on a bridge."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from benchmarks.measure import ROOT
from labsupport.errors import LabError

BRIDGE, FRONT = "pruninglabs0", "10.213.77."  # the scheduler's address ends in 1, the workers' in 2 and more
SLOW = Path(__file__).with_name("slow_worker.py")
PATIENCE = 120  # seconds for the scheduler and its workers


@contextmanager
def cluster(folder: Path, count: int, slow: int = 0) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """The scheduler's address and its workers, each in its own network; the first `slow` of them are slow.

    Raises LabError with the sentence of `lacking`.
    """
    if said := lacking():
        raise LabError(said)
    with ExitStack() as stack:
        stack.callback(ip, "link", "del", BRIDGE, may_fail=True)
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("addr", "add", f"{FRONT}1/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        place = folder / "scheduler.json"
        options = ["--host", f"{FRONT}1", "--port", "0", "--scheduler-file", str(place)]
        started(stack, folder, [], "scheduler", *options)
        until(place.exists, "The scheduler does not start")
        address = json.loads(place.read_text())["address"]
        workers = []
        for number in range(count):
            network = stack.enter_context(separate(number))
            options = ["--nthreads", "1", "--local-directory", str(folder)]
            options += ["--preload", str(SLOW)] if number < slow else []
            enter = ["ip", "netns", "exec", network]
            workers.append(started(stack, folder, enter, "worker", address, *options))
        yield address, workers


def lacking() -> str:
    """What this machine lacks for networks of their own; "" if nothing."""
    if os.name == "posix" and not os.geteuid() and shutil.which("ip"):
        return ""
    return "Networks of their own need root and `ip` (Debian package iproute2)."


@contextmanager
def separate(number: int) -> Iterator[str]:
    """A network namespace with one cable to the bridge; its name."""
    name, here, there = f"pruninglabs-{number}", f"pl-here{number}", f"pl-there{number}"
    ip("netns", "add", name)
    try:
        ip("link", "add", here, "type", "veth", "peer", "name", there)
        ip("link", "set", there, "netns", name)
        ip("link", "set", here, "master", BRIDGE, "up")
        ip("-n", name, "addr", "add", f"{FRONT}{number + 2}/24", "dev", there)
        for device in (there, "lo"):
            ip("-n", name, "link", "set", device, "up")
        yield name
    finally:
        ip("link", "del", here, may_fail=True)
        ip("netns", "del", name, may_fail=True)


def ip(*words: str, may_fail: bool = False) -> None:
    """One command of iproute2; raises LabError with its own reason."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode and not may_fail:
        raise LabError(f"`ip {' '.join(words)}` failed: {done.stderr.strip()}.")


def started(stack: ExitStack, folder: Path, enter: list[str], what: str, *options: str) -> subprocess.Popen:
    """A process of Dask, ended with all that it started when the stack unwinds."""
    command = [*enter, sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard", *options]
    elsewhere = {"PRUNING_LABS_COURSE": "/proc/nowhere", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with (folder / f"{what}.log").open("a") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | elsewhere, stdout=log, stderr=subprocess.STDOUT
        )
    stack.callback(ended, process)
    return process


def busy(nanny: int) -> psutil.Process | None:
    """The worker below a nanny that has a sandbox running."""
    for child in psutil.Process(nanny).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(each.name() == "bwrap" for each in child.children(recursive=True)):
                return child
    return None


def ended(process: subprocess.Popen) -> None:
    """Kill a process and all of its own."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
    process.kill()
    process.wait()


def until(true, otherwise: str):
    """What becomes true, waited for; raises LabError with the sentence when it does not."""
    end = time.monotonic() + PATIENCE
    while not (found := true()):
        if time.monotonic() > end:
            raise LabError(f"{otherwise} within {PATIENCE} s.")
        time.sleep(0.1)
    return found
