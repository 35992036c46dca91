"""JupyterLab as a person starts it, for a browser to open."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SECONDS = 120  # that a busy machine may take


@contextlib.contextmanager
def jupyterlab(folder: Path, root: Path) -> Iterator[Callable[[str], str]]:
    """JupyterLab started in a folder, serving `root`, with nobody's settings.

    Yields a function from a path to the address that opens it, which waits until the server is up.
    """
    home = folder / ".home"
    environment = os.environ | {
        "HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config"), "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"), "IPYTHONDIR": str(home / "ipython"),
        "PRUNING_LABS_MODEL": "tiny",
    }  # fmt: skip
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--ServerApp.root_dir={root}"]
    command += ["--ServerApp.port_retries=200", "--LabApp.news_url=None"]
    command += ["--allow-root"] * (os.geteuid() == 0)
    log = folder / ".jupyterlab.log"
    with log.open("w") as said:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)

    def address(path: str) -> str:
        place = written(home / "runtime", process)
        assert place, log.read_text()
        return f"{place['url']}login?token={place['token']}&next=/{path}"

    try:
        yield address
    finally:
        process.terminate()
        process.wait()


def written(runtime: Path, process: subprocess.Popen) -> dict | None:
    """What the server says of itself once it is up; None when it ended."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        for path in runtime.glob("jpserver-*.json"):
            with contextlib.suppress(json.JSONDecodeError):  # half written
                return json.loads(path.read_text())
        time.sleep(0.1)
    return None
