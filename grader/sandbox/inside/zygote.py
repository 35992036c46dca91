"""The zygote: a process with all modules and models of a notebook loaded, forked for each notebook.

It runs outside every sandbox, so it contains no student's code and no secret of the course. A child moves
into a sandbox made by bwrap (namespaces, control groups), gives up all privileges, and becomes the runner,
which forks the kernel. Threads do not survive a fork, so this process has none; CUDA does not survive one
either, so the model is loaded into the host's memory, and this process never touches a GPU.
"""

import contextlib
import ctypes
import fcntl
import gc
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

NAMESPACES = ("mnt", "pid", "net", "ipc", "uts", "cgroup")
NS_GET_USERNS = 0xB701
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Load, print "ready", and fork for each connection to the socket; exit at the end of stdin."""
    about = json.loads(sys.stdin.readline())  # not an argument, because children can read those
    sys.path[:0] = [about["modules"], str(Path(__file__).parent)]
    paths = [*sys.path]
    with tempfile.TemporaryDirectory() as home:  # libraries may look for settings there
        os.environ |= {"HOME": home, "PRUNING_LABS_CACHE": about["cache"]}
        load(about["model"], about["withheld"])
    sys.path[:] = paths  # setuptools changes it
    if len(threads := running()) > 1:
        sys.exit(f"the zygote has more than one thread: {', '.join(threads)}")
    if touched():
        sys.exit("the zygote has initialised CUDA, and no child could use it")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped automatically
    gc.freeze()
    listener = socket.socket(fileno=about["listener"])
    print("ready", flush=True)
    while True:
        waiting, _, _ = select.select([0, listener], [], [])
        if 0 in waiting:
            return
        connection, _ = listener.accept()
        with connection:
            serve(connection)


def load(model: bool, withheld: list[str]) -> None:
    """Import what notebooks import, and load the course model and text once, on a single thread.

    withheld: modules that the lab is not given. Neither they nor a judge nor an exercise's answer may be in
    the memory of this process, because every submission inherits it.
    """
    import runner
    import torch

    runner.threads = torch.get_num_threads()
    torch.set_num_threads(1)
    import ipykernel.kernelapp  # noqa: F401
    import jupyter_client  # noqa: F401
    import nbclient  # noqa: F401
    import nbformat  # noqa: F401

    import labsupport
    from labsupport import given, models
    from labsupport.check.ask import own, recipes, shared

    closed: dict[str, Any] = dict.fromkeys(
        [*withheld, "labsupport.check.judge", "labsupport.given.exercises"]
    )
    sys.modules.update(closed)  # None: importing them fails
    for package in (labsupport, given, own):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                with contextlib.suppress(ImportError):
                    __import__(module.name)
    shared.take_over()
    for name in closed:
        del sys.modules[name]
    if model:
        recipes.windows(recipes.course_windows("evaluation"))
        shared.stored()
        models.keep_ready()


def touched() -> bool:
    """Whether this process has initialised CUDA."""
    import torch

    return torch.cuda.is_initialized()


def running(seconds: float = 5) -> list[str]:
    """The names of this process's threads, after waiting for threads that are about to end."""
    deadline = time.monotonic() + seconds
    while True:
        names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
        if len(names) == 1 or time.monotonic() > deadline:
            return names
        time.sleep(0.05)


def serve(connection: socket.socket) -> None:
    """Fork for one request: JSON, and the files for standard input, output and errors."""
    connection.settimeout(10)
    files = []
    try:
        text, files, _, _ = socket.recv_fds(connection, 2**16, 3)
        request = json.loads(text)
        if touched():
            return  # the grader starts cold instead
        if os.fork() == 0:
            become(request, files)
        connection.sendall(b"+")
    except (OSError, ValueError):
        return
    finally:
        for file in files:
            os.close(file)


def become(request: dict, files: list[int]) -> None:
    """Move this process into the sandbox and run the runner. Never returns."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, file in enumerate(files):
            os.dup2(file, number)
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.setsid()
        enter(request["pid"], request["groups"])
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        renounce()
        os.chdir(request["work"])
        os.environ.clear()
        os.environ |= request["env"]
        first = os.fork()  # the child is the first process inside the PID namespace
        if first == 0:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            import runner

            runner.main(warm=True)
        for number in range(3):
            os.close(number)
        os.waitpid(first, 0)
    except BaseException as problem:
        os.write(2, f"{type(problem).__name__}: {problem}\n".encode())
    finally:
        os._exit(0)


def enter(pid: int, groups: list[str]) -> None:
    """Join the control groups and all namespaces of a process; the user namespaces give the privilege."""
    for folder in groups:
        Path(folder, "cgroup.procs").write_text("0")
    if os.geteuid() == 0:
        os.setgroups([])
    user = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    others = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY) for name in NAMESPACES]
    owner = fcntl.ioctl(others[0], NS_GET_USERNS)  # bwrap nests a second user namespace in it
    join(owner)
    for other in others:
        join(other)
    if os.fstat(owner).st_ino != os.fstat(user).st_ino:
        join(user)


def join(namespace: int) -> None:
    """Move this process into a namespace."""
    if LIBC.setns(namespace, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


def renounce() -> None:
    """Drop all capabilities permanently, like --cap-drop ALL of bwrap."""
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(64):
        LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    if LIBC.capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capset failed")


if __name__ == "__main__":
    main()
