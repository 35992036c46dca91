"""Launches the runner in a sandbox or as a plain process, and kills all its processes afterwards."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import labsupport
from grader.sandbox import bwrap, zygote_client
from grader.sandbox.limits import Groups, Limits
from labsupport.fetch import cache


@contextlib.contextmanager
def sandboxed(
    own: Groups,
    socket_path: Path | None,
    limits: Limits,
    lab: int | None,
    taken: Mapping[str, str],
    job: BinaryIO,
) -> Iterator[subprocess.Popen]:
    """A context with the runner as first process of a sandbox; its exit kills the sandbox."""
    program = [sys.executable, "-I", str(bwrap.INSIDE / "runner.py")]
    with _bubblewrapped(own, socket_path, limits, lab, taken, program, job) as (process, _):
        yield process


@contextlib.contextmanager
def forked(
    own: Groups,
    socket_path: Path | None,
    limits: Limits,
    lab: int | None,
    taken: Mapping[str, str],
    job: BinaryIO,
) -> Iterator["subprocess.Popen | Fork"]:
    """A context with the runner as a fork of the zygote in a sandbox; its exit kills the sandbox.

    Raises zygote_client.Gone if there is no zygote any more.
    """
    holder = ["/bin/sh", "-c", "echo; read _"]  # until this process closes the pipe, however it ends
    read, write = os.pipe()
    with (
        os.fdopen(write, "wb"),
        os.fdopen(read, "rb") as until,
        _bubblewrapped(own, socket_path, limits, lab, taken, holder, until) as (process, first),
    ):
        assert process.stdout is not None
        if first is None or not process.stdout.read(1):
            yield process  # there is no sandbox; its standard error has the reason
            return
        with contextlib.ExitStack() as later:
            pipes = [os.pipe(), os.pipe()]
            reading = [later.enter_context(os.fdopen(read, "rb")) for read, _ in pipes]
            request = {
                "pid": first, "groups": [str(folder) for folder in {*own.folders.values()}],
                "env": bwrap.inside(socket_path) | {"PWD": str(bwrap.WORK)}, "work": str(bwrap.WORK),
            }  # fmt: skip
            try:
                zygote_client.zygote.fork(request, [job.fileno(), *(write for _, write in pipes)])
            finally:
                for _, write in pipes:
                    os.close(write)
            yield Fork(*reading)


@dataclass(frozen=True)
class Fork:
    """The grader's handle of a forked runner, in place of a Popen."""

    stdout: BinaryIO
    stderr: BinaryIO


@contextlib.contextmanager
def _bubblewrapped(
    own: Groups,
    socket_path: Path | None,
    limits: Limits,
    lab: int | None,
    taken: Mapping[str, str],
    program: list[str],
    stdin: BinaryIO,
) -> Iterator[tuple[subprocess.Popen, int | None]]:
    """A context with bwrap and the pid of the sandbox's first process, None if there is none."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as info, contextlib.ExitStack() as later:
        later.callback(os.close, write)
        command, fds = bwrap.sandboxed(limits, socket_path, lab, taken, write, program)
        for fd in fds:
            later.callback(os.close, fd)
        process = _start(own.join(command), stdin, pass_fds=(write, *fds), env={})
        later.close()
        first = None
        try:
            text = info.read(4096)
            pid = json.loads(text)["child-pid"] if text else None
            with contextlib.suppress(ProcessLookupError):  # it failed and is gone: there is no sandbox
                first = os.pidfd_open(pid) if pid else None
            yield process, None if first is None else pid
        finally:
            _end(process, first)


def _end(process: subprocess.Popen, first: int | None) -> None:
    """Kill the sandbox's first process; bwrap returns after the last one inside has ended."""
    if first is not None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(first, signal.SIGKILL)
        os.close(first)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
    _bury(process)


@contextlib.contextmanager
def plain(
    own: Groups,
    socket_path: Path | None,
    limits: Limits,
    lab: int | None,
    taken: Mapping[str, str],
    job: BinaryIO,
) -> Iterator[subprocess.Popen]:
    """A context with the runner as a plain process in its own folder; its exit kills all descendants."""
    folder = Path(tempfile.mkdtemp(prefix="pruning-labs-"))
    try:
        for name in ("home", "work"):
            (folder / name).mkdir()
        modules = Path(labsupport.__file__).parent.parent
        env = bwrap.environment(folder / "home", socket_path, cache.folder(), modules, bwrap.hub())
        command = own.join([sys.executable, "-I", str(bwrap.RUNNER)])
        process = _start(command, job, env=env, cwd=folder / "work")
        try:
            yield process
        finally:
            while family := _descendants(process.pid):  # the runner adopts all orphans
                for pid in family:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.02)
            _bury(process)
    finally:
        own.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _start(command: list[str], job: BinaryIO, **options) -> subprocess.Popen:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=job, stdout=pipe, stderr=pipe, start_new_session=True, **options)


def _bury(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    process.stderr.close()


def _descendants(pid: int) -> set[int]:
    """The pids of all live descendants of a process."""
    found = set()
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, listing.read_text().split()):
                found |= _descendants(child)
                if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                    found.add(child)
    return found
