"""Jupyter's server with nbgrader's formgrader, started in a course folder, and what it answers."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def serving(folder: Path, runtime: Path, environment: dict[str, str]) -> Iterator[Callable[..., Any]]:
    """A function that calls formgrader's API by path: GET, PUT with a change, or another method.

    runtime: a new folder for what the server writes on itself.
    """
    runtime.mkdir()
    command = [sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root", "--port-retries=50"]
    extensions = "ServerApp.jpserver_extensions={'nbgrader.server_extensions.formgrader': True}"
    with (runtime / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, f"--{extensions}"], cwd=folder, stdout=log, stderr=log,
            env=environment | {"JUPYTER_RUNTIME_DIR": str(runtime)},
        )  # fmt: skip
    try:
        for _ in range(1200):
            written = [path for path in runtime.glob("jpserver-*.json") if path.stat().st_size]
            if written or process.poll() is not None:
                break
            time.sleep(0.1)
        assert written, (runtime / "log").read_text()
        place = json.loads(written[0].read_text())

        def ask(path: str, change: dict | None = None, method: str = ""):
            request = urllib.request.Request(
                f"{place['url']}formgrader/api/{path}",
                data=None if change is None else json.dumps(change).encode(),
                headers={"Authorization": f"token {place['token']}"},
                method=method or ("GET" if change is None else "PUT"),
            )
            with urllib.request.urlopen(request) as answer:
                return json.loads(answer.read())

        yield ask
    finally:
        process.terminate()
        process.wait()
