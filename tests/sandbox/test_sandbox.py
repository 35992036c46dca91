"""Whatever a notebook does, its run ends with a status, names the cell, and leaves nothing alive."""

import json
import mmap
import os
import re
import signal
import site
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import nbformat
import pytest

from grader import course
from grader.sandbox import bwrap, devices, limits, run
from grader.sandbox.limits import Limits
from grader.sandbox.run import run_command, run_notebook
from labsupport.errors import LabError

pytestmark = pytest.mark.sandbox

SHORT = Limits(cell_seconds=5)
BOTH = pytest.mark.parametrize("isolation", ["bwrap", "none"])


def notebook(*sources: str, **metadata) -> bytes:
    """A notebook of code cells, their grade ids q0, q1, ..."""
    cells = [
        nbformat.v4.new_code_cell(source, metadata={"nbgrader": {"grade_id": f"q{i}"}})
        for i, source in enumerate(sources)
    ]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=metadata)).encode()


def texts(outcome) -> list[str]:
    """What each cell printed, or the name of its error."""
    cells = json.loads(outcome.notebook)["cells"]
    return [
        "".join("".join(out.get("text", out.get("ename", ""))) for out in cell["outputs"]) for cell in cells
    ]


def alive(mark: str) -> list[str]:
    """Processes of this machine that carry this mark in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [line] if mark in (line := path.read_bytes().decode(errors="replace")) else []
        except OSError:
            continue
    return found


def probe(code: str) -> str:
    """A cell that prints REFUSED when this raises, and what happened otherwise."""
    return f"try:\n    print('GOT', {code})\nexcept Exception:\n    print('REFUSED')"


@BOTH
def test_honest_notebook(isolation):
    """An error, input() and sys.exit() end their own cell only; what was saved in the file is not kept."""
    source = nbformat.reads(
        notebook(
            "print('one')",
            "1/0",
            "input('?')",
            "import sys; sys.exit()",
            "import os, warnings; warnings.warn('careful'); os.getcwd()",
            "import labsupport; print(labsupport.__name__)",
            "print(get_ipython().history_manager.enabled, os.listdir())",
            kernelspec={"name": "nobody_has_this", "display_name": "?", "language": "python"},
        ).decode(),
        4,
    )
    source.cells[1].outputs = [nbformat.v4.new_output("stream", text="full points")]
    outcome = run_notebook(nbformat.writes(source).encode(), None, Limits(), isolation)
    assert (outcome.status, outcome.cell) == ("FINISHED", "")
    one, zero, asked, _, warned, imported, quiet = texts(outcome)
    assert (one, zero, asked, imported) == (
        "one\n", "ZeroDivisionError", "StdinNotImplementedError", "labsupport\n"
    )  # fmt: skip
    assert "careful" in warned
    assert quiet == "False []\n"


def test_nothing_of_the_machine_is_there(tmp_path, monkeypatch):
    """No network, no solutions, no grader, no course, no environment, no way up through links or /proc."""
    monkeypatch.setenv("SECRET_TOKEN", "do-not-tell")
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path))
    (tmp_path / "gradebook.db").write_text("marks")
    (tmp_path / "link").symlink_to("/etc")
    beside = course.ROOT / "pyproject.toml"
    network = "__import__('socket').create_connection(('{}', {}), 2)"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refused = [
            network.format("127.0.0.1", listener.getsockname()[1]),
            network.format("1.1.1.1", 53),
            "__import__('socket').getaddrinfo('example.org', 80)",
            *(f"open({str(path)!r}).read()" for path in (beside, tmp_path / "gradebook.db", "/etc/shadow")),
            *(f"open('/proc/{pid}/root{beside}').read()" for pid in ("self", 1)),
            f"__import__('os').listdir({str(course.SOLUTIONS)!r})",
            f"__import__('os').listdir({str(Path(run.__file__).parent)!r})",
            f"__import__('os').symlink({str(course.ROOT)!r}, 'up') or __import__('os').listdir('up/grader')",
            "__import__('importlib').import_module('grader.sandbox')",
            "__import__('os').environ['SECRET_TOKEN']",
            "open('/proc/1/environ').read()",
            "__import__('os').listdir('/sys')",
            "__import__('os').listdir('/root/.ssh')",
            "open(__import__('labsupport').__file__, 'a')",
            "open(__import__('sys').prefix + '/bin/extra', 'w')",
            "open('/opt/pruning-labs/runner.py', 'a')",
            "open('/extra', 'w')",
            "open('/etc/passwd', 'a')",
            "open('/proc/sys/kernel/core_pattern', 'w').write('x')",
            "__import__('os').setuid(0)",
            "__import__('subprocess').run(['unshare', '-r', 'true'], check=True)",
            "__import__('os').kill(" + str(os.getpid()) + ", 9)",
        ]
        outcome = run_notebook(notebook(*map(probe, refused)), None, Limits())
    found = dict(zip(refused, texts(outcome), strict=True))
    assert outcome.status == "FINISHED"
    assert {code: text for code, text in found.items() if "REFUSED\n" not in text} == {}


@pytest.mark.parametrize("gpu", [False, True], ids=["without a GPU", "with one"])
def test_nothing_of_the_machine_can_be_written(gpu, monkeypatch):
    """Graded by root, a submission is root without capabilities: /proc/sys would do as it says.

    CUDA names its threads; so with a GPU what belongs to processes is as the kernel has it.
    """
    monkeypatch.setattr(devices, "used", lambda: gpu)
    walk = (
        "import os\n"
        "for place in ('proc', 'etc', 'opt', 'dev', 'root', 'sys', 'run', 'var'):\n"
        "    for folder, _, files in os.walk('/' + place):\n"
        "        for path in (os.path.join(folder, name) for name in files):\n"
        "            try: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW))\n"
        "            except OSError: continue\n"
        "            print(path)\n"
    )
    thread = '/proc/self/task/{__import__("threading").get_native_id()}/comm'
    outcome = run_notebook(notebook(walk, probe(f"open(f'{thread}', 'w').write('named')")), None)
    assert ("REFUSED" in texts(outcome)[1]) == (not gpu)
    harmless = {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "pts/ptmx")}
    found = {path for path in texts(outcome)[0].split() if not path.startswith("/dev/nvidia")}
    if gpu:
        found = {path for path in found if not re.match(r"/proc/\d+/", path)}
    assert found - {"/dev/console"} <= harmless and "/dev/null" in found


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("print('before')\nwhile True: pass", marks=pytest.mark.thorough),
        "print('before')\nwhile True:\n    try:\n        while True: pass\n"
        "    except KeyboardInterrupt: print('no')",
        "print('before')\nimport signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(999)",
    ],
    ids=["plain", "swallows the interrupt", "ignores the signal"],
)
def test_cell_without_end(source):
    """The cell is named, it and those before it keep their output, those after it don't run."""
    outcome = run_notebook(notebook("print('ok')", source, "print('never')"), None, SHORT)
    assert (outcome.status, outcome.cell) == ("TIMEOUT", "q1")
    first, second, third = texts(outcome)
    assert (first, third) == ("ok\n", "")
    assert second.startswith("before\n")
    assert outcome.reason == "Cell 'q1' ran longer than 5 s and was stopped."


def test_many_slow_cells():
    """The time of all cells together is limited too."""
    slow = ["import time; time.sleep(4)"] * 30
    outcome = run_notebook(notebook(*slow), None, Limits(cell_seconds=60, total_seconds=12))
    assert outcome.status == "TIMEOUT"
    assert "12 s in all" in outcome.reason


MESSAGE = """
kernel = get_ipython().kernel
kernel.session.send(kernel.iopub_socket, {kind!r}, {content!r}, parent=kernel.get_parent())
"""


@pytest.mark.parametrize(("kind", "content"), [
    ("stream", {"name": "stdout", "text": ["a", "b"]}),
    pytest.param("stream", {"name": "stdout", "text": {"a": 1}}, marks=pytest.mark.thorough),
    pytest.param("stream", {}, marks=pytest.mark.thorough),
    pytest.param("display_data", {"data": 5, "metadata": 7}, marks=pytest.mark.thorough),
    pytest.param("error", {"ename": 5, "evalue": [], "traceback": "x"}, marks=pytest.mark.thorough),
])  # fmt: skip
def test_messages_that_no_kernel_sends(kind, content):
    """They end the submission and not the grader, and the sentence says so."""
    source = MESSAGE.format(kind=kind, content=content)
    outcome = run_notebook(notebook("print('ok')", source, "print('never')"), None, SHORT)
    assert (outcome.status, outcome.cell) == ("KERNEL_DIED", "q1")
    assert "sent messages that no notebook's kernel sends" in outcome.reason
    assert texts(outcome) == ["ok\n", "", ""]


@BOTH
@pytest.mark.parametrize(
    "source",
    [
        "import os; os._exit(0)",
        pytest.param("import os; os.kill(os.getpid(), 9)", marks=pytest.mark.thorough),
        pytest.param("import ctypes; ctypes.string_at(0)", marks=pytest.mark.thorough),
    ],
    ids=["exit", "kill", "segfault"],
)
def test_kernel_dies(source, isolation):
    outcome = run_notebook(notebook("print('ok')", source, "print('never')"), None, Limits(), isolation)
    assert (outcome.status, outcome.cell) == ("KERNEL_DIED", "q1")
    assert texts(outcome) == ["ok\n", "", ""]


def test_memory_hog():
    """Seen from the limit's own event where a control group is to be had; else a MemoryError in the cell."""
    hog = "hold = []\nwhile True: hold.append(bytearray(b'x' * 2**24))"
    outcome = run_notebook(notebook("print('ok')", hog, "print('next')"), None, Limits(memory=2**30))
    if grouped():
        assert (outcome.status, outcome.cell) == ("OUT_OF_MEMORY", "q1")
        assert texts(outcome) == ["ok\n", "", ""]
        assert "1 GiB" in outcome.reason
    else:
        assert (outcome.status, texts(outcome)) == ("FINISHED", ["ok\n", "MemoryError", "next\n"])


def test_disk_hog():
    """Its disk is small, private, and counts as memory."""
    fill = "with open('big', 'wb') as f:\n    while True: f.write(bytes(2**20))"
    outcome = run_notebook(notebook(fill, "print('next')"), None, Limits(files=2**26))
    assert (outcome.status, texts(outcome)) == ("FINISHED", ["OSError", "next\n"])


def test_forks_without_end():
    """A bomb that doubles itself is held by the limit; nothing of it is left, and no group either."""
    mark = uuid.uuid4().hex
    many = (
        f"import subprocess\nfor _ in range(10000): subprocess.Popen(['sh', '-c', 'sleep 86399; : {mark}'])"
    )
    double = "import os\nwhile True: os.fork()"
    outcome = run_notebook(notebook(many, double), None, Limits(cell_seconds=5, processes=80))
    if grouped() or os.geteuid() != 0:
        assert texts(outcome)[0].endswith("BlockingIOError")
        assert not any("processes" in each for each in outcome.unenforced)
    assert alive(mark) == []
    assert left_groups() == []


# Output as large as this takes seconds after the cell's last line, and the interrupt comes then.
REPLIES = """import sys, time
print('x' * 3_000_000, flush=True)
flush = sys.stdout.flush
def slow():
    sys.stdout.flush = flush
    time.sleep(4)
sys.stdout.flush = slow"""
BIT_BY_BIT = "for _ in range(300): print('x' * 1_000_000, end='', flush=True)"
SWALLOWS = "while True:\n    try: print('x' * 1_000_000)\n    except KeyboardInterrupt: pass"
FIGURES = "import IPython\nfor _ in range(300): display({'image/png': 'A' * 10**6}, raw=True)"


@pytest.mark.parametrize(
    ("source", "rest"),
    [
        ("print('x' * 300_000_000, end='')", "next\n"),
        pytest.param(BIT_BY_BIT, "next\n", marks=pytest.mark.thorough),
        pytest.param(FIGURES, "next\n", marks=pytest.mark.thorough),
        (REPLIES, "next\n"),
        pytest.param(SWALLOWS, "", marks=pytest.mark.thorough),
    ],
    ids=["at once", "bit by bit", "figures", "while it replies", "swallows the interrupt"],
)  # fmt: skip
def test_prints_300_megabytes(source, rest):
    """Its output is cut, that of the others is kept, and what comes out here is small."""
    outcome = run_notebook(
        notebook("print('ok')", source, "print('next')"), None, Limits(cell_seconds=60, output=2**21)
    )
    assert (outcome.status, outcome.cell) == ("OUTPUT_LIMIT", "q1")
    first, cut, after = texts(outcome)
    assert (first, after) == ("ok\n", rest)
    assert "[output cut: more than is allowed]" in cut
    assert len(outcome.notebook) < 2**21


def test_one_loud_cell_leaves_room_for_the_others():
    """Cells share the limit, but none is interrupted for what an earlier one put out."""
    loud = "print('x' * 900_000, end='')"
    outcome = run_notebook(notebook(loud, loud, "print('y' * 1000)"), None, Limits(output=1_000_000))
    assert (outcome.status, outcome.cell) == ("OUTPUT_LIMIT", "q1")
    assert texts(outcome)[2] == "y" * 1000 + "\n"


@BOTH
def test_background_process_is_dead_afterwards(isolation):
    mark = uuid.uuid4().hex
    daemon = (
        "import os, subprocess\n"
        f"subprocess.Popen(['sh', '-c', 'trap \"\" TERM INT HUP; while :; do sleep 1; done; : {mark}'], "
        "start_new_session=True)\n"
        f"subprocess.run(['sh', '-c', 'setsid sh -c \"sleep 86399; : {mark}\" &'])\n"
        "print('started')"
    )
    outcome = run_notebook(notebook(daemon), None, Limits(), isolation)
    assert (outcome.status, texts(outcome)) == ("FINISHED", ["started\n"])
    assert alive(mark) == []
    assert left_groups() == []


def test_the_examiners_socket_is_the_only_door(tmp_path):
    """The socket file alone is there, not the folder it lies in."""
    path = tmp_path / "examiner.sock"
    (tmp_path / "secret").write_text("x")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(connection.recv(100).upper())

        threading.Thread(target=answer, daemon=True).start()
        ask = (
            "import os, socket\n"
            "door = os.environ['PRUNING_LABS_SOCKET']\n"
            "with socket.socket(socket.AF_UNIX) as s:\n"
            "    s.connect(door); s.sendall(b'hello'); print(s.recv(100))\n"
            "print(sorted(os.listdir(os.path.dirname(door))), os.path.exists(" + repr(str(tmp_path)) + "))"
        )
        outcome = run_notebook(notebook(ask), path)
    first, second = texts(outcome)[0].splitlines()
    assert first == "b'HELLO'"
    assert "secret" not in second and second.endswith("False")


def test_runner_is_out_of_reach():
    """A student's process cannot kill the runner, look into it, or write to its pipe."""
    attack = """
import os, signal
def opened(path, mode):
    try: return open(path, mode) and path
    except OSError: return None
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM): os.kill(1, number)
doors = ["mem", "environ", *(f"fd/{n}" for n in range(64))]
print([path for door in doors for mode in ("rb", "wb") if (path := opened(f"/proc/1/{door}", mode))])
"""
    forge = """
import os
line = b'\\n{"event": "over", "status": "FINISHED"}\\n'
for fd in range(256):
    try: os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:") and os.write(fd, line)
    except OSError: pass
"""
    outcome = run_notebook(notebook(attack, "print('next')", forge, "import os; os._exit(1)"), None)
    assert texts(outcome)[:2] == ["[]\n", "next\n"]
    assert (outcome.status, outcome.cell) == ("KERNEL_DIED", "q3")


def test_plain_runner_killed_by_the_notebook():
    """Without a sandbox the runner can be killed; the cell is named all the same."""
    outcome = run_notebook(notebook("import os; os.kill(os.getppid(), 9)"), None, Limits(), "none")
    assert (outcome.status, outcome.cell) == ("KERNEL_DIED", "q0")


START = {"event": "start", "cell": 1}
DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("report", "status", "cell"),
    [
        ([START, "no JSON"], "KERNEL_DIED", "q1"),
        ([START, DEEP], "KERNEL_DIED", "q1"),
        ([START, [1]], "KERNEL_DIED", "q1"),
        ([START, {"event": "start", "cell": "NaN"}], "KERNEL_DIED", "q1"),
        ([{"event": "start", "cell": 10**9}, {"event": "over", "status": "KERNEL_DIED"}], "KERNEL_DIED", ""),
        ([START, {"event": "over", "status": "GRADED"}], "KERNEL_DIED", "q1"),
        ([START, "x" * 2**24], "OUTPUT_LIMIT", "q1"),
        ([START, *[{"event": "end", "cell": 7, "outputs": [], "count": 1, "cut": False, "ended": "FINISHED"},
                   {"event": "end", "cell": 0, "outputs": [{"evil": 1}], "count": {}, "cut": False,
                    "ended": "FINISHED"},
                   {"event": "end", "cell": 1, "outputs": json.loads("[" * 400 + "]" * 400), "count": 1,
                    "cut": False, "ended": "FINISHED"},
                   {"event": "over", "status": "FINISHED"}]], "FINISHED", ""),
        ([], "GRADER_ERROR", ""),
    ],
)  # fmt: skip
def test_forged_report(report, status, cell, tmp_path, monkeypatch):
    """Even a runner in the student's hands gains nothing but a status and a name of one of our cells."""
    lines = [each if isinstance(each, str) else json.dumps(each) for each in report]
    fake = tmp_path / "runner.py"
    fake.write_text(f"for line in {lines!r}: print(line, flush=True)\n")
    monkeypatch.setattr(bwrap, "RUNNER", fake)
    outcome = run_notebook(notebook("1", "2"), None, Limits(output=2**20), "none")
    assert (outcome.status, outcome.cell) == (status, cell)
    assert [each["outputs"] for each in json.loads(outcome.notebook)["cells"]] == [[], []]


def test_a_sandbox_that_fails_before_it_is_held(tmp_path, monkeypatch):
    """Its first process can be gone before the grader has a handle: bwrap's reason is told all the same."""

    def late(pid):
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.01)
        return opened(pid)

    opened = os.pidfd_open
    monkeypatch.setattr(os, "pidfd_open", late)
    monkeypatch.setattr(bwrap, "RUNNER", tmp_path / "no runner")
    with pytest.raises(LabError, match="cannot make a sandbox here .*no runner"):
        run_notebook(notebook("1"), None)


@pytest.mark.parametrize("data", [b"", b"<html>", b"\xff\xfe", b"[]", b'{"cells": 1}'])
def test_no_notebook(data):
    outcome = run_notebook(data, None)
    assert (outcome.status, outcome.notebook) == ("GRADER_ERROR", None)


def test_command():
    """`grader try` asks a file this way: what it prints and its exit status come back."""
    files = {"answer.py": b"import os; print(os.listdir(), os.getcwd()); raise SystemExit(3)"}
    outcome = run_command([sys.executable, "answer.py"], files, None)
    assert (outcome.status, outcome.returncode) == ("FINISHED", 3)
    assert outcome.output == "['answer.py'] /tmp/work\n"
    with pytest.raises(ValueError, match="not a path"):
        run_command(["true"], {"../answer.py": b""}, None)


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("echo before; sleep 1000", "TIMEOUT"),
        ("echo before; (sleep 86399; : MARK) & exit 0", "FINISHED"),
        ("echo before; yes", "OUTPUT_LIMIT"),
    ],
)
@BOTH
def test_command_without_end(script, status, isolation):
    mark = uuid.uuid4().hex
    few = Limits(cell_seconds=2, output=10_000)
    outcome = run_command(["sh", "-c", script.replace("MARK", mark)], {}, None, few, isolation)
    assert (outcome.status, outcome.output[:7]) == (status, "before\n")
    assert len(outcome.output) <= 10_000
    assert alive(mark) == []


def test_without_bubblewrap(monkeypatch):
    """Grading refuses to start and says what to install; only `--isolation none` goes on without."""
    monkeypatch.setattr(bwrap.shutil, "which", lambda name: None)
    with pytest.raises(LabError, match=r"package 'bubblewrap'.*--isolation none"):
        run_command(["true"], {}, None)
    with pytest.raises(LabError, match="no isolation called 'docker'"):
        run_command(["true"], {}, None, isolation="docker")
    outcome = run_command(["true"], {}, None, isolation="none")
    assert outcome.status == "FINISHED"
    assert "--isolation none" in outcome.unenforced[0]


def test_bubblewrap_that_fails(tmp_path, monkeypatch):
    """Where the machine allows no namespaces no submission is to blame: grading stops with a sentence."""
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(bwrap.shutil, "which", lambda name: str(broken))
    with pytest.raises(LabError, match="No permissions to create new namespace"):
        run_command(["true"], {}, None)


def test_a_killed_grader_takes_its_sandboxes_along():
    mark = uuid.uuid4().hex
    code = (
        "from grader.sandbox.run import *\n"
        f"run_command(['sh', '-c', 'sleep 86399; : {mark}x'], {{}}, None, Limits(), 'bwrap')"
    )
    grader = subprocess.Popen([sys.executable, "-c", code], cwd=course.ROOT)
    wait_until(lambda: any(mark + "x" in line and line.startswith("sh\0") for line in alive(mark)))
    grader.send_signal(signal.SIGKILL)
    grader.wait()
    wait_until(lambda: alive(mark) == [])
    run_command(["true"], {}, None)  # sweeps the empty groups up
    assert left_groups() == []


UNPRIVILEGED = """
import json, sys
from grader.sandbox import zygote_client
from grader.sandbox.run import *
bomb = "import subprocess\\nfor _ in range(10000): subprocess.Popen(['sh', '-c', 'sleep 86399; : MARK'])"
hog = "hold = [bytearray(b'x' * 2**24) for _ in range(200)]"
look = "import os; print(os.path.exists('/etc/shadow'), os.path.exists('ROOT/solutions'), os.getpid() < 50)"
cells = [dict(cell_type="code", id=f"c{i}", metadata={}, source=source, outputs=[], execution_count=None)
         for i, source in enumerate([look, hog, bomb])]
notebook = dict(cells=cells, metadata={}, nbformat=4, nbformat_minor=5)
limits = Limits(memory=2**31, processes=60)
if not COLD:
    zygote_client.zygote.ready(2)
    assert zygote_client.zygote.address
outcome = run_notebook(json.dumps(notebook).encode(), None, limits, cold=COLD)
print(json.dumps([outcome.status, outcome.reason, outcome.notebook.decode(), outcome.unenforced]))
"""


@pytest.mark.parametrize("cold", [True, False], ids=["cold", "warm"])
def test_unprivileged_user(tmp_path, cold):
    """Somebody who is not root gets the same sandbox, with rlimits, and is told what nothing holds."""
    if os.geteuid() == 0 and not all(folder.stat().st_mode & 0o001 for folder in course.ROOT.parents):
        pytest.skip(f"nobody but root can read {course.ROOT}")
    packages, version = site.getsitepackages()[0], f"{sys.version_info[0]}.{sys.version_info[1]}"
    system = "/usr/bin/python3"
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as home:
        if root:
            os.chmod(home, 0o755)
        subprocess.run([system, "-m", "venv", "--without-pip", f"{home}/venv"], check=True)
        Path(f"{home}/venv/lib/python{version}/site-packages/all.pth").write_text(packages)
        (Path(home) / "own").mkdir()
        os.chmod(f"{home}/own", 0o777)
        mark = uuid.uuid4().hex
        script = (
            UNPRIVILEGED.replace("MARK", mark).replace("ROOT", str(course.ROOT)).replace("COLD", str(cold))
        )
        user = {"user": 65534, "group": 65534, "extra_groups": []} if root else {}
        done = subprocess.run(
            [f"{home}/venv/bin/python3", "-c", script],
            env={"HOME": f"{home}/own", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(course.ROOT),
                 "PRUNING_LABS_MODEL": "tiny"},
            cwd="/", capture_output=True, text=True, **user,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    status, _, executed, unenforced = json.loads(done.stdout)
    cells = json.loads(executed)["cells"]
    assert status == "FINISHED"
    assert cells[0]["outputs"][0]["text"] == ["False False True\n"]
    assert [cell["outputs"][-1]["ename"] for cell in cells[1:]] == ["MemoryError", "BlockingIOError"]
    assert any("Memory is limited for each process" in each for each in unenforced)
    assert alive(mark) == []


def test_groups_of_version_2(tmp_path):
    """Where control groups are of version 2, one group below an ancestor with both controllers holds both."""
    files = {
        "proc/self/cgroup": "0::/user/session\n",
        "proc/self/mountinfo": "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "sys/fs/cgroup/cgroup.subtree_control": "cpu memory pids\n",
        "sys/fs/cgroup/user/cgroup.subtree_control": "memory pids\n",
        "sys/fs/cgroup/user/session/cgroup.subtree_control": "\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    with limits.groups(Limits(memory=2**30, processes=99), tmp_path) as own:
        (folder,) = set(own.folders.values())
        assert folder.parent == tmp_path / "sys/fs/cgroup/user"
        assert (folder / "memory.max").read_text() == str(2**30)
        assert (folder / "pids.max").read_text() == "99"
        (folder / "memory.events").write_text("low 0\nhigh 0\nmax 3\noom 1\noom_kill 0\n")
        assert not own.out_of_memory()
        (folder / "memory.events").write_text("low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n")
        assert own.out_of_memory()
        (folder / "cgroup.procs").write_text("")


def test_what_nothing_holds_is_said(monkeypatch):
    """Without control groups each limit is an rlimit or a sentence."""
    monkeypatch.setattr(devices, "used", lambda: False)
    rlimits, unenforced = limits.fallbacks(Limits(), limits.Groups(), isolated=True)
    assert rlimits["RLIMIT_DATA"] == Limits().memory
    assert rlimits["RLIMIT_AS"] >= Limits().memory + 2**26  # and room for the libraries, of torch alone more
    assert "each process" in unenforced[0]
    monkeypatch.setattr(devices, "used", lambda: True)
    rlimits, unenforced = limits.fallbacks(Limits(), limits.Groups(), isolated=True)
    assert not {"RLIMIT_AS", "RLIMIT_DATA"} & {*rlimits}
    assert "Memory is not limited" in unenforced[0]


def test_libraries_take_no_students_memory():
    """Torch for CUDA maps 3 GB of code: those are added, and what can be written is not."""
    before = limits.libraries()
    with mmap.mmap(-1, 2**31, flags=mmap.MAP_PRIVATE | mmap.MAP_ANON, prot=mmap.PROT_READ):
        assert abs(limits.libraries() - before - 2**31) < 2**26
    with mmap.mmap(-1, 2**31, flags=mmap.MAP_PRIVATE | mmap.MAP_ANON):
        assert abs(limits.libraries() - before) < 2**26


def grouped() -> bool:
    """Whether this user may make a memory control group here."""
    with limits.groups(Limits()) as own:
        return "memory" in own.folders


def left_groups() -> list[Path]:
    """Control groups of ours, or of graders that were here and are gone, which nobody removed."""
    places = {place for kind in ("memory", "pids") for _, place in limits.parents(kind, Path("/"))}
    found = [path for place in places for path in place.glob(f"{limits.PREFIX}-*-*")]
    return [
        path
        for path in found
        if (pid := int(path.name.split("-")[2])) == os.getpid() or not Path(f"/proc/{pid}").exists()
    ]


def wait_until(condition, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
