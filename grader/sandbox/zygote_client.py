"""The grader's client of the zygote: starts it, requests forks, and falls back to cold starts.

One zygote serves all workers of this machine, over a Unix socket. Without a zygote submissions start
cold, which only takes longer.
"""

import atexit
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from grader.author import given
from grader.sandbox import bwrap
from labsupport import settings
from labsupport.fetch import cache

ZYGOTE = Path(__file__).parent / "inside" / "zygote.py"


class Gone(Exception):
    """The zygote does not answer: it was killed, or failed to start."""


class Zygote:
    """The zygote that this process uses; `address` is None while there is none."""

    def __init__(self):
        self.address: Path | None = None
        self._process: subprocess.Popen | None = None
        self._suits: tuple | None = None  # the settings and lab it was started for
        self._lent = False  # whether it belongs to another process

    def ready(self, lab: int) -> None:
        """Ensure a zygote for this process's settings and this lab; report a failure once."""
        environment = quiet()
        wanted = (tuple(environment.items()), cache.folder(), lab)
        if self._lent or self._suits == wanted:
            return
        self.stop()
        self._suits = wanted
        try:
            self._start(environment, lab)
        except Gone as problem:
            self.stop()
            print(f"Submissions start cold, which takes longer: {problem}", file=sys.stderr)

    def lend(self, address: Path | None) -> None:
        """Use the zygote of another process of this machine."""
        self.address, self._lent = address, True

    def lose(self) -> None:
        """Stop using a lost zygote."""
        self.address = None

    def _start(self, environment: dict[str, str], lab: int) -> None:
        folder = Path(tempfile.mkdtemp(prefix="pruning-labs-warm-"))  # private to this user
        self.address = folder / "socket"
        with socket.socket(socket.AF_UNIX) as listener, tempfile.TemporaryFile() as errors:
            listener.bind(str(self.address))
            listener.listen(64)
            about = {
                "modules": str(bwrap.MODULES), "cache": str(cache.folder()), "listener": listener.fileno(),
                "model": settings.current().model != "tiny",
                "withheld": [f"labsupport.given.{Path(name).stem}" for name in given.withheld(lab, True)],
            }  # fmt: skip
            self._process = process = subprocess.Popen(
                [sys.executable, "-I", str(ZYGOTE)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                pass_fds=(listener.fileno(),), env=environment, cwd="/", start_new_session=True,
            )  # fmt: skip
            assert process.stdin is not None and process.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(about).encode() + b"\n")
                process.stdin.flush()
            if not process.stdout.readline():
                errors.seek(0)
                lines = errors.read().decode(errors="replace").strip().splitlines()
                raise Gone(lines[-1] if lines else "the zygote ended at once")

    def stop(self) -> None:
        """End the zygote if this process started it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.close()
            self._process.stdout.close()
            if self.address:
                shutil.rmtree(self.address.parent, ignore_errors=True)
        self.address = self._process = self._suits = None

    def fork(self, request: dict, files: list[int]) -> None:
        """Request one fork with these files as standard input, output and errors. Raises Gone."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(30)
                connection.connect(str(self.address))
                socket.send_fds(connection, [json.dumps(request).encode()], files)
                if connection.recv(1) != b"+":
                    raise Gone("the zygote does not answer")
        except OSError as problem:
            raise Gone(str(problem)) from problem

    def alive(self) -> bool:
        """Whether the zygote still accepts requests."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.address))
            return True
        return False


def quiet() -> dict[str, str]:
    """The environment of the zygote: that of a submission, with settings against threads."""
    return bwrap.inside(None) | {
        "OPENBLAS_NUM_THREADS": "1",
        "NUMEXPR_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_DEACTIVATE_ASYNC_LOAD": "1",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",  # the default check initialises CUDA, and then no child could
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }


zygote = Zygote()
atexit.register(zygote.stop)
