"""A class on a JupyterHub, as docs/jupyterhub.md says: fetch, validate, submit, grade, give back."""

import json
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode

import nbformat
import pytest

from grader import course

pytestmark = [pytest.mark.alone, pytest.mark.slow]
GUIDE = (course.ROOT / "docs" / "jupyterhub.md").read_text(encoding="utf-8")
LAB = "00_start_here"
BIN = Path(sys.executable).parent
RIGHT = "def sparsity(mask):\n    return (~mask).sum().item() / mask.numel()"
WRONG = "def sparsity(mask):\n    return mask.float().mean().item()"
PEOPLE = ("hub-prof", "hub-ada", "hub-ben")  # users of this system, for as long as the test runs
TOKEN = secrets.token_hex()
CONFIG = """
c = get_config()
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.services = [{{"name": "test", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [
    {{"name": "test", "services": ["test"], "scopes": ["admin:users", "admin:servers", "access:servers"]}}
]
c.ConfigurableHTTPProxy.command = ["{proxy}"]
c.Spawner.cmd = ["{bin}/jupyterhub-singleuser"]
{guide}
c.Spawner.environment |= {environment}
"""


def blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def users():
    """Three users of this system, removed afterwards."""
    if os.geteuid() or not shutil.which("useradd"):
        pytest.skip("users of a system are made by root, with useradd")
    if not all(folder.stat().st_mode & 0o001 for folder in (course.ROOT, *course.ROOT.parents)):
        pytest.skip(f"nobody but root can read {course.ROOT}")
    for name in PEOPLE:
        subprocess.run(["userdel", "--remove", name], capture_output=True)  # of a run that was killed
        subprocess.run(["useradd", "--create-home", name], check=True, capture_output=True)
    yield
    for name in PEOPLE:
        subprocess.run(["pkill", "--signal", "KILL", "--uid", name])
        subprocess.run(["userdel", "--remove", name], capture_output=True)


class Hub:
    """A hub on this machine: its address, and the folders that the guide names in capitals."""

    def __init__(self, folder: Path):
        pytest.importorskip("jupyterhub", reason="JupyterHub is not installed: make .venv/hub")
        self.folder, self.exchange = folder, folder / "exchange"
        self.exchange.mkdir()
        self.exchange.chmod(0o777)
        shared = folder / "shared"
        shared.mkdir()
        npm = ["npm", "install", "--silent", "--prefix", folder / "proxy", "configurable-http-proxy"]
        subprocess.run(npm, check=True, capture_output=True)
        places = {"SHARED": str(shared), "EXCHANGE": str(self.exchange)}
        of_hub, self.of_nbgrader, self.of_prof = (
            re.sub("SHARED|EXCHANGE", lambda word: places[word[0]], text) for text in blocks(GUIDE)
        )
        etc = folder / "etc"
        etc.mkdir()
        (etc / "nbgrader_config.py").write_text(self.of_nbgrader)
        tiny = {"PRUNING_LABS_MODEL": "tiny", "OMP_NUM_THREADS": "1"}
        self.environment = tiny | {"JUPYTER_CONFIG_PATH": str(etc)}
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        (folder / "jupyterhub_config.py").write_text(
            CONFIG.format(
                port=port, hub_port=free_port(), token=TOKEN, bin=BIN, guide=of_hub,
                proxy=folder / "proxy" / "node_modules" / ".bin" / "configurable-http-proxy",
                environment=self.environment,
            )
        )  # fmt: skip
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [BIN / "jupyterhub", "--config", "jupyterhub_config.py"],
                cwd=folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def log(self) -> str:
        """The end of what the hub printed."""
        return (self.folder / "log").read_text()[-3000:]

    def wait(self, true, seconds: float = 180) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end and self.process.poll() is None, self.log()
            time.sleep(0.5)

    def ask(self, method: str, path: str, fields: dict[str, str] | None = None):
        """What the hub, or a user's server behind it, answers; None where it does not answer yet."""
        data = urlencode(fields).encode() if fields else None
        request = urllib.request.Request(f"{self.address}/{path}", data, {"Authorization": f"token {TOKEN}"})
        request.method = method
        try:
            with urllib.request.urlopen(request, timeout=600) as reply:
                return json.loads(reply.read() or "{}")
        except (URLError, OSError, ValueError):
            return None

    def start(self, user: str) -> None:
        self.ask("POST", f"hub/api/users/{user}")
        self.ask("POST", f"hub/api/users/{user}/server")
        self.wait(lambda: (self.ask("GET", f"hub/api/users/{user}") or {}).get("server"))

    def click(self, user: str, what: str, fields: dict[str, str]):
        """A button of the Assignment List, and what it gives."""
        answer = self.ask("POST", f"user/{user}/assignments/{what}", fields)
        assert answer and answer["success"], (answer, self.log())
        return answer["value"]


@pytest.fixture(scope="module")
def hub(users):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        os.chmod(folder, 0o755)
        started = Hub(Path(folder))
        try:
            started.wait(lambda: started.ask("GET", "hub/api/users") is not None)
            yield started
        finally:
            os.killpg(started.process.pid, signal.SIGTERM)
            started.process.wait(30)


def typed(hub: Hub, user: str, line: str) -> str:
    """One command line in that user's home, with a checkout's environment; what it printed."""
    environment = {
        "PATH": f"{BIN}:/usr/bin:/bin", "HOME": f"/home/{user}", "PYTHONPATH": str(course.ROOT),
        "PRUNING_LABS_COURSE": f"/home/{user}/course", **hub.environment,
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", line], cwd=f"/home/{user}", env=environment, capture_output=True, text=True, user=user,
        group=user, extra_groups=[],
    )  # fmt: skip
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def write(user: str, answer: str) -> None:
    """The student's notebook with this answer typed in."""
    path = Path(f"/home/{user}/{LAB}/{LAB}.ipynb")
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "sparsity":
            cell.source = answer
    nbformat.write(notebook, path)


def test_a_class(hub):
    """With the buttons and commands of the guide; each student sees their own page alone."""
    prof, ada, ben = PEOPLE
    about = {"course_id": "pruning-labs", "assignment_id": LAB}
    typed(hub, prof, "python -m grader release 00")
    typed(hub, prof, f"cd ~/course && nbgrader release_assignment {LAB}")
    for user, answer in ((ada, WRONG), (ada, RIGHT), (ben, WRONG)):
        hub.start(user)
        if not Path(f"/home/{user}/{LAB}").exists():
            hub.click(user, "fetch", about)
        write(user, answer)
        complaints = hub.click(user, "validate", {"path": f"{LAB}/{LAB}.ipynb"}).get("failed", [])
        assert len(complaints) == (answer == WRONG)
        assert all("the share of the kept weights was taken" in each["error"] for each in complaints)
        hub.click(user, "submit", about)
    typed(hub, prof, f"python -m grader collect 00 {hub.exchange}/pruning-labs/inbound")
    typed(hub, prof, "python -m grader grade 00")
    typed(hub, prof, "python -m grader feedback 00")
    typed(hub, prof, f"cd ~/course && nbgrader release_feedback {LAB}")
    table = typed(hub, prof, "python -m grader grades 00 --csv grades.csv >&2; cat grades.csv")
    assert re.search(rf"^{ada},.*\bGRADED\b", table, re.MULTILINE), table
    for user, said in ((ada, "all 8 parts pass"), (ben, "the share of the kept weights was taken")):
        hub.click(user, "fetch_feedback", about)
        pages = list(Path(f"/home/{user}/{LAB}/feedback").rglob("*.html"))
        assert pages and all(user in page.read_text() for page in pages)
        others = {ada, ben} - {user}
        assert any(said in page.read_text() for page in pages)
        assert not any(other in page.read_text() for page in pages for other in others)
        assert Path(f"/home/{user}/.local/share/pruning-labs/checks/sparsity.json").exists()


def test_formgrader_from_the_home(hub):
    """The instructor's server, started in the home, finds the course by the two lines of the guide."""
    prof = PEOPLE[0]
    lines = hub.of_prof.replace("COURSE", f"/home/{prof}/course")
    typed(hub, prof, f"mkdir -p .jupyter && echo {shlex.quote(lines)} > .jupyter/nbgrader_config.py")
    hub.start(prof)
    (found,) = hub.ask("GET", f"user/{prof}/formgrader/api/assignments")
    assert found["name"] == LAB and found["num_submissions"] == 2
