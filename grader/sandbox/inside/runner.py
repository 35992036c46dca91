"""The only file of the grader that runs inside the sandbox: executes a notebook or one command.

Standard input: one JSON object, the job. Standard output: events as JSON lines. They are an untrusted
report: scores come only from the examiner. In a sandbox the runner is the first process, so no
process there can kill it; as it is not dumpable, no process can read its memory or write to its pipe.
"""

import ast
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

PATIENCE = 0.5  # seconds that a cell with too much output has to end by itself
GRACE = 10.0  # seconds that an interrupted cell has to end
PIECE = 2**10  # bytes that a message counts for besides its content: each takes time
SHOWN = ("text/plain", "image/png")  # the kinds of output that a page shows
KEPT = 2**16  # bytes kept of a cell's output when it exceeds the limit by far
START = 120.0  # seconds a kernel may take to start
MALFORMED = "malformed"  # the detail of an end by messages that no kernel sends, as in grader/sandbox/run.py
REPORT = "PRUNING_LABS_REPORT"  # as in labsupport/machine.py
NO_REPORT = "The command ended before it said on which device it computes"
threads = 0  # of torch, in a forked kernel
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36


def main(warm: bool = False) -> None:
    """Do one job. warm: this process is a fork of the zygote, and forks the kernel."""
    job = json.load(os.fdopen(0, "rb", closefd=False))
    for name, value in job["rlimits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    forked = ForkedKernel() if warm else None  # first, before there is anything not to be inherited
    say = private_channel()
    try:
        if "command" in job:
            run_command(job, say)
        else:
            asyncio.run(run_notebook(job, say, forked))
    except BaseException as problem:
        say(event="over", status="GRADER_ERROR", detail=f"{type(problem).__name__}: {problem}"[:500])
    while True:
        signal.pause()  # the grader kills this process, and with it all others here


def private_channel():
    """The output channel, hidden from child processes: closed on exec, and not accessible in /proc."""
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
    """A kernel that is a fork of this process; it has the methods of Popen that jupyter_client uses."""

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
        """Replaces jupyter_client's launch_kernel."""
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
    """Wait for the command line, then run its kernel in this process. Never returns."""
    import numpy
    import torch
    from ipykernel.kernelapp import IPKernelApp

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # as in a newly started program
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(0, 1)
    os.dup2(0, 2)
    with os.fdopen(read) as pipe:
        sys.argv = json.load(pipe)[2:]
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path.remove(str(Path(__file__).parent))
    here = [index for index, path in enumerate(sys.path) if path.endswith("-packages")]
    sys.path.insert(here[0] if here else len(sys.path), "")  # the current folder, as in IPython
    sys.modules.pop("runner", None)
    numpy.random.seed()  # otherwise all children would share the parent's seed
    torch.seed()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or threads))
    try:
        IPKernelApp.launch_instance(sys.argv[1:])
    finally:
        os._exit(0)


async def run_notebook(job: dict, say, forked: ForkedKernel | None = None) -> None:
    """Execute the code cells in order and report their outputs; stop when the kernel cannot go on."""
    import nbformat

    client = await start_kernel(nbformat.from_dict(job["notebook"]), say, forked)
    say(event="ready", **(await kernel_report(client) if job["report"] else {}))
    room = job["output"]
    for index, cell in enumerate(client.nb.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        say(event="start", cell=index)
        allowed = client.room = max(room, KEPT)
        client.pieces = 0
        client.overflow, client.idle = asyncio.Event(), asyncio.Event()
        ended = await run_cell(client, cell, index, job["cell_seconds"])
        cut = client.overflow.is_set()
        try:
            outputs, cut = trimmed(joined(cell.outputs), KEPT if cut else allowed, cut)
        except Exception:  # outputs of no notebook, from malformed messages
            outputs, ended, client.malformed = [], "KERNEL_DIED", True
        room -= len(json.dumps(outputs)) + client.pieces * PIECE
        say(event="end", cell=index, ended=ended, outputs=outputs, count=cell.execution_count, cut=cut)
        if ended != "FINISHED":
            status = "OUTPUT_LIMIT" if cut and ended == "TIMEOUT" else ended
            say(event="over", status=status, detail=MALFORMED if client.malformed else "")
            return
    say(event="over", status="FINISHED")


async def start_kernel(notebook, say, forked: ForkedKernel | None):
    """An nbclient client with a quiet kernel of this interpreter; the notebook's kernel name is ignored."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_client.provisioning import local_provisioner
    from nbclient import NotebookClient

    class Client(NotebookClient):
        """Drops output of a cell beyond `room` bytes, and sets `overflow`; `pieces` counts messages.

        `idle` is set when the kernel says that the cell has ended, `malformed` when it lives and has sent
        what no kernel sends.
        """

        room: int = 0
        pieces: int = 0
        malformed: bool = False
        overflow: asyncio.Event
        idle: asyncio.Event

        def process_message(self, msg, cell, cell_index):
            needed = msg["msg_type"] in ("status", "execute_input")  # by the client, at a cell's ends
            if msg["content"].get("execution_state") == "idle":
                self.idle.set()
            self.pieces += 1
            self.room -= PIECE + (0 if needed else size(msg["content"]))
            if self.room < 0 and not self.overflow.is_set():
                say(event="flood", cell=cell_index)  # at once: it may fill the memory next
                keep_beginning(self, msg, cell, cell_index)
                self.overflow.set()
            if (self.room < 0 and not needed) or msg["msg_type"].startswith("comm_"):  # no page has widgets
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
        "--IPKernelApp.exec_lines=from sys import exit; quit = exit",  # they end a cell, not the kernel
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


async def kernel_report(client) -> dict:
    """What the kernel says of device and precision, before any cell has run; or why it does not."""
    code = {"machine": "__import__('labsupport.machine', fromlist=['']).told()"}
    quietly = {"silent": True, "store_history": False, "user_expressions": code}
    try:
        reply = await client.kc.execute("", **quietly, reply=True, timeout=START)
        found = reply["content"]["user_expressions"]["machine"]
        if found["status"] == "ok":
            return ast.literal_eval(found["data"]["text/plain"])
        return {"trouble": str(found["evalue"])[:1000]}
    except Exception as problem:
        return {"trouble": f"{type(problem).__name__}: {problem}"[:1000]}


def size(content: dict) -> int:
    """The bytes of a message's content, after the removal of what no page shows."""
    if "data" in content:
        kinds = [kind for kind in SHOWN if type(content["data"].get(kind)) is str]
        content |= {"data": {kind: content["data"][kind] for kind in kinds}, "metadata": {}}
    return len(content["text"]) if "text" in content else len(json.dumps(content))


async def run_cell(client, cell, index: int, seconds: float) -> str:
    """Run one cell to its end, or interrupt it at a limit. FINISHED, TIMEOUT or KERNEL_DIED."""
    count = client.code_cells_executed + 1
    running = asyncio.ensure_future(client.async_execute_cell(cell, index, execution_count=count))
    too_much, idle = (asyncio.ensure_future(event.wait()) for event in (client.overflow, client.idle))
    try:
        await asyncio.wait({running, too_much}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        late = not running.done() and not too_much.done()
        if not late:  # a cell that is about to end needs no interrupt, which might lose its reply
            await asyncio.wait({running}, timeout=PATIENCE)
        lost = False
        if not running.done():
            await client.km.interrupt_kernel()
            most = GRACE if late else 2 * GRACE  # much is on its way
            await asyncio.wait({running, idle}, timeout=most, return_when=asyncio.FIRST_COMPLETED)
            if idle.done():
                await asyncio.wait({running}, timeout=PATIENCE)
            lost = idle.done() and not running.done()  # the interrupt hit the kernel while it replied
            if lost:
                running.cancel()
                await asyncio.wait({running})
            if not running.done():
                return "TIMEOUT"
            await settled(client)
        if not lost:
            running.result()
        return "TIMEOUT" if late else "FINISHED"
    except Exception:  # the kernel is dead, or sends malformed messages
        client.malformed = await client.km.is_alive()
        return "KERNEL_DIED"
    finally:
        for task in (running, too_much, idle):
            task.cancel()


async def settled(client) -> None:
    """Send an empty request, so that a late interrupt hits this and not the next cell."""
    with contextlib.suppress(Exception):  # the next cell detects a dead kernel
        quietly = {"silent": True, "store_history": False, "stop_on_error": False}
        await client.kc.execute("", **quietly, reply=True, timeout=GRACE)


def joined(outputs: list) -> list:
    """Merge adjacent outputs of one stream (nbclient's own method takes hours on a long line)."""
    whole = []
    for name, group in itertools.groupby(outputs, lambda output: output.get("name")):  # streams only
        pieces = list(group)
        if name:
            pieces = [{**pieces[0], "text": "".join(piece["text"] for piece in pieces)}]
        whole += pieces
    return whole


def trimmed(outputs: list, room: int, cut: bool) -> tuple[list, bool]:
    """The outputs within `room` bytes of JSON (text is cut, other types are dropped), and whether cut."""
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
    """Reap orphans, which this process adopts; the kernel itself is reaped by its manager."""
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
    """Run one command in a folder with the given files; report its output, up to the limit, and its end."""
    for name, content in job["files"].items():
        Path(name).write_bytes(base64.b64decode(content))
    read, write = os.pipe()
    process = subprocess.Popen(
        job["command"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        pass_fds=(write,), env={**os.environ, REPORT: str(write)},
    )  # fmt: skip
    os.close(write)
    say(event="ready", **(command_report(read) if job["report"] else {}))
    os.close(read)
    say(event="start", cell=0)
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
    listener.join(1.0)  # a child of the command may keep the pipe open
    say(event="over", status=status, code=code)


def command_report(pipe: int) -> dict:
    """What the command says of device and precision before it runs the submission; or that it does not."""
    text = b""
    while part := os.read(pipe, 2**12):
        text += part
    return json.loads(text) if text else {"trouble": NO_REPORT}


if __name__ == "__main__":
    main()
