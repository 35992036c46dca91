"""The one file of the grader that runs inside the sandbox: executes a notebook, or one command.

Standard input: one JSON object, the job. Standard output: JSON lines saying what happens. They are a
report, not evidence: scores come from the examiner alone. In a sandbox this is the first process, so
nothing in there can kill it; and as it is not dumpable, nothing can look into it or write to its pipe.
"""

import asyncio
import base64
import contextlib
import ctypes
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

PATIENCE = 0.5  # seconds in which a loud cell may end by itself
GRACE = 5.0  # seconds an interrupted cell has to end
KEPT = 2**16  # bytes that stay of a cell's output when it was far too much
START = 120.0  # seconds a kernel may take to start
threads = 0  # of torch, in a forked kernel
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36


def main(warm: bool = False) -> None:
    """Do one job. warm: this process was forked from one that has loaded all, and forks the kernel."""
    job = json.load(os.fdopen(0, "rb", closefd=False))
    for name, value in job["rlimits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    forked = ForkedKernel() if warm else None  # before there is anything that it must not have
    say = private_channel()
    try:
        if "command" in job:
            run_command(job, say)
        else:
            asyncio.run(run_notebook(job, say, forked))
    except BaseException as problem:
        say(event="over", status="GRADER_ERROR", detail=f"{type(problem).__name__}: {problem}"[:500])
    while True:
        signal.pause()  # the end comes from outside, and takes along whatever is still running here


def private_channel():
    """The way out, out of reach of whatever is started here: closed on exec, not to be found in /proc."""
    settings = {PR_SET_DUMPABLE: 0, PR_SET_CHILD_SUBREAPER: 1, PR_SET_PDEATHSIG: signal.SIGKILL}
    for name, value in settings.items():
        ctypes.CDLL(None).prctl(name, value, 0, 0, 0)
    channel = os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)

    def say(**event) -> None:
        line = memoryview(json.dumps(event).encode() + b"\n")
        while line:
            line = line[channel.write(line) :]

    return say


class ForkedKernel:
    """A kernel that is this process's fork instead of a new program; like a Popen, as far as it is used."""

    stdin = stdout = stderr = None

    def __init__(self):
        read, self.write = os.pipe()
        self.returncode = None
        self.pid = os.fork()
        if self.pid:
            os.close(read)
        else:
            os.close(self.write)
            become_kernel(read)

    def start(self, command: list[str], **_) -> "ForkedKernel":
        """Stands in for jupyter_client's launch_kernel."""
        os.write(self.write, json.dumps(command).encode())
        os.close(self.write)
        os.setpgid(self.pid, self.pid)
        return self

    def poll(self) -> int | None:
        """The exit status, or None while the kernel runs."""
        if self.returncode is None:
            with contextlib.suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the end of the kernel; the timeout is ignored."""
        while self.poll() is None:
            time.sleep(0.02)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the kernel."""
        self.send_signal(signal.SIGKILL)

    terminate = kill


def become_kernel(read: int) -> None:
    """Wait for the command line, then be the kernel that it would have started. Never returns."""
    import numpy
    import torch
    from ipykernel.kernelapp import IPKernelApp

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # as a program that was just started
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(0, 1)
    os.dup2(0, 2)
    with os.fdopen(read) as pipe:
        sys.argv = json.load(pipe)[2:]
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path.remove(str(Path(__file__).parent))
    here = [index for index, path in enumerate(sys.path) if path.endswith("-packages")]
    sys.path.insert(here[0] if here else len(sys.path), "")  # its own folder, where IPython has it
    sys.modules.pop("runner", None)
    numpy.random.seed()  # not the parent's, which all its children would share
    torch.seed()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or threads))
    try:
        IPKernelApp.launch_instance(sys.argv[1:])
    finally:
        os._exit(0)


async def run_notebook(job: dict, say, forked: ForkedKernel | None = None) -> None:
    """Execute the code cells in order; say what each one put out; stop where no next one makes sense."""
    import nbformat

    client = await start_kernel(nbformat.from_dict(job["notebook"]), say, forked)
    say(event="ready")
    room = job["output"]
    for index, cell in enumerate(client.nb.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        say(event="start", cell=index)
        allowed = client.room = max(room, KEPT)
        client.overflow = asyncio.Event()
        ended = await run_cell(client, cell, index, job["cell_seconds"])
        cut = client.overflow.is_set()
        outputs, cut = trimmed(joined(cell.outputs), KEPT if cut else allowed, cut)
        room -= len(json.dumps(outputs))
        say(event="end", cell=index, ended=ended, outputs=outputs, count=cell.execution_count, cut=cut)
        if ended != "FINISHED":
            say(event="over", status="OUTPUT_LIMIT" if cut and ended == "TIMEOUT" else ended)
            return
    say(event="over", status="FINISHED")


async def start_kernel(notebook, say, forked: ForkedKernel | None):
    """A client of nbclient with a quiet kernel of this very interpreter, whatever the notebook asks for."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_client.provisioning import local_provisioner
    from nbclient import NotebookClient

    class Client(NotebookClient):
        """Drops what a cell puts out beyond `room` bytes, and sets `overflow`."""

        room: int = 0
        overflow: asyncio.Event

        def process_message(self, msg, cell, cell_index):
            if msg["msg_type"] in (
                "stream",
                "display_data",
                "execute_result",
                "error",
                "update_display_data",
            ):
                content = msg["content"]
                self.room -= 64 + (len(content["text"]) if "text" in content else len(json.dumps(content)))
                if self.room < 0:
                    if not self.overflow.is_set():
                        say(event="flood", cell=cell_index)  # at once: it may fill the memory next
                        keep_beginning(self, msg, cell, cell_index)
                    self.overflow.set()
                    return None
            return super().process_message(msg, cell, cell_index)

    def keep_beginning(client, msg, cell, cell_index) -> None:
        if msg["msg_type"] == "stream" and not cell.outputs:
            msg["content"]["text"] = msg["content"]["text"][:KEPT]
            NotebookClient.process_message(client, msg, cell, cell_index)

    folder = Path(os.environ["HOME"], "kernels", "python3")
    folder.mkdir(parents=True)
    argv = [
        sys.executable,
        "-m",
        "ipykernel_launcher",
        "-f",
        "{connection_file}",
        "--HistoryManager.enabled=False",
    ]
    folder.joinpath("kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"})
    )
    if forked:
        local_provisioner.launch_kernel = forked.start  # pyright: ignore[reportPrivateImportUsage]
    specs = KernelSpecManager(kernel_dirs=[str(folder.parent)])
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
    client = Client(notebook, km=manager, allow_errors=True, startup_timeout=START, store_widget_state=False,
                    record_timing=False)  # fmt: skip
    await client.async_start_new_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    await client.async_start_new_kernel_client()
    provisioner: Any = manager.provisioner
    threading.Thread(target=reap, args=(provisioner.process.pid,), daemon=True).start()
    return client


async def run_cell(client, cell, index: int, seconds: float) -> str:
    """Run one cell to its end, or interrupt it at a limit. FINISHED, TIMEOUT or KERNEL_DIED."""
    count = client.code_cells_executed + 1
    running = asyncio.ensure_future(client.async_execute_cell(cell, index, execution_count=count))
    too_much = asyncio.ensure_future(client.overflow.wait())
    try:
        await asyncio.wait({running, too_much}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        late = not running.done() and not too_much.done()
        if not late:  # what is nearly over ends by itself: an interrupt might swallow its reply
            await asyncio.wait({running}, timeout=PATIENCE)
        if not running.done():
            await client.km.interrupt_kernel()
            await asyncio.wait({running}, timeout=GRACE)
            if running.done():
                await settled(client)
        if not running.done():
            return "TIMEOUT"
        running.result()
        return "TIMEOUT" if late else "FINISHED"
    except Exception:  # dead, or it sends what is no message of a kernel
        return "KERNEL_DIED"
    finally:
        running.cancel()
        too_much.cancel()


async def settled(client) -> None:
    """Ask the kernel for nothing, so that an interrupt that came late hits this and not the next cell."""
    with contextlib.suppress(Exception):  # a dead kernel is found by the next cell
        quietly = {"silent": True, "store_history": False, "stop_on_error": False}
        await client.kc.execute("", **quietly, reply=True, timeout=GRACE)


def joined(outputs: list) -> list:
    """Neighbouring pieces of one stream as one output (nbclient's own way takes hours on a long line)."""
    whole = []
    for name, group in itertools.groupby(outputs, lambda output: output.get("name")):  # streams have one
        pieces = list(group)
        if name:
            pieces = [{**pieces[0], "text": "".join(piece["text"] for piece in pieces)}]
        whole += pieces
    return whole


def trimmed(outputs: list, room: int, cut: bool) -> tuple[list, bool]:
    """What fits into `room` bytes of JSON (a text is cut, anything else left out), and whether not all."""
    kept = []
    for output in outputs:
        if len(json.dumps(output)) > room:
            cut = True
            if output["output_type"] != "stream":
                continue
            output["text"] = output["text"][: max(room - 200, 0) // 6]  # 6: a character may become "\u0000"
        room -= len(json.dumps(output))
        kept.append(output)
    if cut:
        kept.append(
            {"output_type": "stream", "name": "stderr", "text": "[output cut: more than is allowed]\n"}
        )
    return kept, cut


def reap(kernel: int) -> None:
    """Bury the orphans, which all come to this process; the kernel itself is buried by its manager."""
    while True:
        try:
            ended: Any = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)  # None with WNOHANG alone
            pid = ended.si_pid
            if pid != kernel:
                os.waitpid(pid, 0)
                continue
        except ChildProcessError:
            pass
        time.sleep(0.2)


def run_command(job: dict, say) -> None:
    """Run one command beside the given files; say what it prints, up to the limit, and how it ended."""
    for name, content in job["files"].items():
        Path(name).write_bytes(base64.b64decode(content))
    say(event="ready")
    say(event="start", cell=0)
    process = subprocess.Popen(
        job["command"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    left, status = job["output"], "FINISHED"

    def listen() -> None:
        nonlocal left, status
        assert process.stdout is not None
        while part := os.read(process.stdout.fileno(), 2**16):
            say(event="text", text=part[:left].decode(errors="replace"))
            left -= len(part[:left])
            if not left:
                status = "OUTPUT_LIMIT"
                process.send_signal(signal.SIGKILL)
                return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    code = process.wait()
    listener.join(1.0)  # a child of it may hold the pipe open
    say(event="over", status=status, code=code)


if __name__ == "__main__":
    main()
