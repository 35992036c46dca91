"""The zygote saves the start and nothing else: no submission reaches it, or another one, or what was."""

import json
import os
import re
import signal
import threading
import time

import pytest

from grader.sandbox import zygote_client
from grader.sandbox.limits import Limits
from grader.sandbox.run import run_notebook
from tests.sandbox.test_sandbox import notebook, texts

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module", autouse=True)
def parent():
    """A zygote with the tiny model, of its own for these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNING_LABS_MODEL", "tiny")
        patch.setenv("OMP_NUM_THREADS", "1")
        mine = zygote_client.Zygote()
        patch.setattr(zygote_client, "zygote", mine)
        mine.ready(2)
        assert mine.address
        yield mine
        mine.stop()


def run(*sources: str, **more) -> list[str]:
    """What each cell of a forked run printed."""
    outcome = run_notebook(notebook(*sources), None, Limits(cell_seconds=30), **({"cold": False} | more))
    assert outcome.status == "FINISHED", outcome.reason
    return texts(outcome)


SAME = {
    "user": "import os; print(os.getuid(), os.getgid(), os.getgroups(), os.getcwd(), os.umask(0o22))",
    "environment": "import os; print(sorted((k, v) for k, v in os.environ.items() if k != 'JPY_PARENT_PID'))",
    "path": "import sys; print([p for p in sys.path if 'finder' not in p])",
    "places": "import labsupport, torch; print(labsupport.__file__, torch.__file__)",
    "threads": "import torch; print(torch.get_num_threads())",
    "main": "print(__name__, sorted(k for k in globals() if not k.startswith('_')))",
    "privileges": "print([l for l in open('/proc/self/status') if l[:3] in ('Cap', 'NoN', 'Gro', 'Uid')])",
    "limits": "import resource; print([resource.getrlimit(number) for number in range(16)])",
    "root": "import os; print(*(sorted(os.listdir(d)) for d in ('/', '/opt/pruning-labs', '.')))",
    "figure": "import matplotlib; matplotlib.use; import matplotlib.pyplot as p; p.plot([1, 2]); p.show()",
    "network": "import socket; print(sorted(name for _, name in socket.if_nameindex()))",
    "mounts": "print(sorted(tuple(l.split()[1:4]) for l in open('/proc/mounts')))",
    "error": "from labsupport import models; models.load('nobody')",
    "model": "m = models.load(); print(sum(float(p.double().sum()) for p in m.parameters()), m.training)",
}


@pytest.mark.thorough
def test_as_if_started_afresh():
    """A forked kernel is where, who and what a fresh one is: a student's code cannot behave differently."""
    forked, fresh = (run(*SAME.values(), cold=cold) for cold in (False, True))
    differing = {
        name: (one, other) for name, one, other in zip(SAME, forked, fresh, strict=True) if one != other
    }
    assert differing == {}


SPOIL = """
import builtins, os, sys, torch, labsupport, pathlib
from labsupport import models, check, settings
from labsupport.check.ask import client
builtins.print_more = 1
torch.equal = torch.allclose = lambda *_: True
models.load = client.answer_examiner = None
settings.CPU = None
os.environ["LEFT"] = "1"
for folder in ("/tmp", "/tmp/home", "/dev/shm"): pathlib.Path(folder, "left").write_text("1")
torch.manual_seed(1)
sys.modules["math"].pi = 3
"""
LOOK = """
import builtins, os, sys, torch, pathlib, math
from labsupport import models, check, settings
from labsupport.check.ask import client
print(hasattr(builtins, "print_more"), torch.equal(torch.ones(1), torch.zeros(1)), models.load is None,
      client.answer_examiner is None, settings.CPU is None, "LEFT" in os.environ, math.pi == 3,
      [f for f in ("/tmp", "/tmp/home", "/dev/shm") if pathlib.Path(f, "left").exists()])
"""


def test_nothing_is_there_for_the_next():
    """What a submission patches, sets or writes is gone with it."""
    clean = "False False False False False False False []\n"
    assert run(LOOK) == [clean]
    assert run(SPOIL, LOOK)[1] != clean
    assert run(LOOK) == [clean]


def test_each_has_its_own_chance():
    """Forks of one parent do not share its random numbers: two students' unseeded draws differ."""
    draw = "import random, numpy, torch\nprint(random.random(), numpy.random.rand(), torch.rand(1).item())"
    one, other = run(draw)[0].split(), run(draw)[0].split()
    assert not set(one) & set(other)


def test_neither_parent_nor_siblings_can_be_reached():
    """Two at once: each sees its own processes alone, and a signal to everybody spares the other."""
    marked = "secret = 'mark' + 'ed'; import time\nfor _ in range(80): time.sleep(0.1)\nprint('survived')"
    other: list[str] = []
    sibling = threading.Thread(target=lambda: other.extend(run(marked)))
    sibling.start()
    time.sleep(2)
    look = """
import ctypes, glob, os, socket
print(len([p for p in os.listdir("/proc") if p.isdigit()]), os.getppid() < os.getpid() < 60)
ports = [line for line in open("/proc/net/tcp") if line.split()[3] == "0A"]  # listening
print(len(ports) < 7)  # its own kernel's five
print([p for p in glob.glob("/proc/[0-9]*/cwd") if os.path.exists(p + "/../../tmp/secret")])
libc = ctypes.CDLL(None, use_errno=True)
print([libc.ptrace(16, pid, 0, 0) for pid in (1, 2)])
doors = [f"/proc/2/{d}" for d in ("mem", "environ", "maps", *(f"fd/{n}" for n in range(64)))]
def opened(path):
    try: return open(path, "rb") and path
    except OSError: return None
print([path for path in doors if opened(path)])
"""
    counted, own, _, traced, doors = run(look)[0].splitlines()
    assert counted.split()[1] == "True" and int(counted.split()[0]) < 10
    assert own == "True"
    assert traced.endswith("-1]")  # the runner lets nobody trace it
    assert doors == "[]"
    outcome = run_notebook(notebook("import os; os.kill(-1, 9)"), None, cold=False)
    assert (outcome.status, outcome.cell) == ("KERNEL_DIED", "q0")
    sibling.join()
    assert other == ["survived\n"]


def test_no_door_is_inherited():
    """No file of the machine is open in a child, and no memory is shared for writing."""
    listing = """
import os
print([t for fd in os.listdir("/proc/self/fd") for t in [os.path.realpath(f"/proc/self/fd/{fd}")]
       if not any(w in t for w in ("socket:", "pipe:", "anon_inode", "/dev/null", "/fd"))])
print([l for l in open("/proc/self/maps") if "w" in l.split()[1] and "s" in l.split()[1]])
print(open("/proc/self/environ").read().count("="), open("/proc/self/cmdline").read())
"""
    files, shared, own = run(listing)[0].splitlines()
    assert (files, shared) == ("[]", "[]")
    assert not re.search(r"cache|PRUNING_LABS_COURSE|seed", own)


def test_limits_hold():
    """Time, memory and processes of a forked submission are limited like those of a fresh one."""
    loop = "while True:\n    try:\n        while True: pass\n    except KeyboardInterrupt: pass"
    outcome = run_notebook(notebook("print(1)", loop), None, Limits(cell_seconds=2), cold=False)
    assert (outcome.status, outcome.cell, texts(outcome)[0]) == ("TIMEOUT", "q1", "1\n")
    hog = "hold = [bytearray(b'x' * 2**24) for _ in range(300)]"
    outcome = run_notebook(notebook(hog), None, Limits(memory=2**31), cold=False)
    assert outcome.status == "OUT_OF_MEMORY" or texts(outcome) == ["MemoryError"]
    bomb = "import subprocess\nfor _ in range(10000): subprocess.Popen(['sleep', '99'])"
    outcome = run_notebook(notebook(bomb), None, Limits(processes=80), cold=False)
    assert texts(outcome) == ["BlockingIOError"]


def test_a_lost_parent_costs_nobody(parent):
    """Killed in the middle of a submission it is not the student's fault: the submission runs cold."""
    steps = notebook("import time; time.sleep(4); print('through')", "import os; print(os.getppid())")
    results = []
    runner = threading.Thread(target=lambda: results.append(run_notebook(steps, None, cold=False)))
    runner.start()
    time.sleep(2)
    os.kill(parent._process.pid, signal.SIGKILL)
    runner.join()
    assert results[0].status == "FINISHED"
    assert texts(results[0]) == ["through\n", "1\n"]  # the fresh runner is the sandbox's first process
    assert json.loads(run_notebook(steps, None, cold=False).notebook)["cells"][0]["outputs"]
    assert zygote_client.zygote.address is None


OWN = """
from labsupport import models
model = models.load()
total = sum(float(weight.sum()) for weight in model.parameters())
print(next(line.split()[1] for line in open("/proc/self/smaps_rollup") if line.startswith("Private_Dirty")))
"""


@pytest.mark.thorough
def test_what_a_fork_saves():
    """More than half of a sandbox's own memory: what it has imported lies there once, for all."""
    forked, fresh = (int(run(OWN, cold=cold)[0]) for cold in (False, True))
    assert 0 < 2 * forked < fresh
