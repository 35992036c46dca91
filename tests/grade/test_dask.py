"""A class on a cluster of real processes: killed workers and a killed scheduler lose nothing."""

import contextlib
import json
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from benchmarks import networks
from grader import course
from grader.__main__ import main
from grader.grade import dask_pool, dask_worker, journal
from grader.grade.class_run import grade_class
from grader.grade.dask_pool import Cluster
from labsupport.errors import LabError
from tests.grade import dask_preload
from tests.grade.mixed import (
    LIMITS,
    another_course,
    comparable,
    hand_in_all,
    one_after_the_other,
    without_torch,
)
from tests.grade.test_hostile import hand_in
from tests.hostile.submissions import LAB

pytestmark = pytest.mark.alone


class Processes:
    """A scheduler and two workers on this machine; the workers know nothing of the course folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.log = (folder / "log").open("w")
        elsewhere = {"PRUNING_LABS_COURSE": "/proc/nowhere", "PYTHONPATH": str(course.ROOT)}
        self.environment = os.environ | elsewhere | {"OMP_NUM_THREADS": "1", "PRUNING_LABS_MODEL": ""}
        self.environment["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = "1"
        place = ("--scheduler-file", str(folder / "scheduler.json"))
        dask_worker = (
            "--nthreads",
            "1",
            "--preload",
            dask_preload.__file__,
            "--local-directory",
            str(folder),
        )
        self.scheduler = self.start("scheduler", *place, "--host", "127.0.0.1", "--port", "0")
        self.workers = [self.start("worker", *place, *dask_worker) for _ in range(2)]
        until(Path(place[1]).exists)
        self.address = json.loads(Path(place[1]).read_text())["address"]

    def start(self, what: str, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard", *arguments],
            cwd=self.folder, env=self.environment, stdout=self.log, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def busy(self) -> psutil.Process | None:
        """A worker that has a sandbox running."""
        return next(filter(None, (networks.busy(nanny.pid) for nanny in self.workers)), None)

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            networks.ended(process)
        self.log.close()


def until(true, seconds: float = 120):
    """Wait for something to become true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    started = Processes(tmp_path_factory.mktemp("cluster"))
    yield started
    started.end()


def test_a_worker_of_another_version_is_noticed(processes, monkeypatch, capsys):
    """A worker with other code than the instructor's grades nobody, and the sentence says what to do."""
    monkeypatch.setattr(dask_pool.version, "code", lambda: "another")
    with another_course():
        hand_in("ben", without_torch())
        assert main(["grade", LAB, "--scheduler", processes.address]) == 2
        assert not journal.records(LAB)
    said = capsys.readouterr().err
    assert "has another labsupport or grader" in said
    assert said.count("\n") == 1


def test_the_address_of_a_worker(processes, capsys):
    """Who gives a worker's address, not its scheduler's, is told what to start."""
    from distributed import Client

    with Client(processes.address, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=120)
        worker = next(iter(client.scheduler_info()["workers"]))
    with another_course():
        hand_in("ben", without_torch())
        assert main(["grade", LAB, "--scheduler", worker]) == 2
    said = capsys.readouterr().err
    assert f"There is no scheduler at {worker}" in said
    assert said.count("\n") == 1


def test_a_port_that_is_too_large(monkeypatch):
    """The C library takes the port 99999 for 34463: nobody is asked there."""
    monkeypatch.setattr(dask_pool.socket, "create_connection", lambda *_: pytest.fail("asked"))
    with pytest.raises(ValueError, match="99999"):
        dask_pool.knock("127.0.0.1:99999")


@pytest.mark.slow
def test_a_killed_worker(processes):
    """Killed in the middle of a submission, a worker costs nobody anything: all is as when graded serially.

    The submission that kills each worker it comes to is nobody's zero, and stops nobody else's grading.
    """
    expected, killed = one_after_the_other(), []

    def kill() -> None:
        victim = until(processes.busy)
        victim.kill()
        killed.append(victim.pid)

    with another_course():
        hand_in_all()
        hand_in("doom", without_torch())
        killer = threading.Thread(target=kill)
        killer.start()
        found = comparable(grade_class(LAB, limits=LIMITS, scheduler=processes.address))
        killer.join()
    doom = found.pop("doom")
    assert killed
    assert doom["status"] == "SET_ASIDE"
    assert "It ended the grader's process twice" in doom["reason"]
    assert not doom["verdicts"]
    assert found == expected
    maps = Path(f"/proc/{processes.scheduler.pid}/maps").read_text()
    assert "libtorch" not in maps, "the scheduler unpacks what it should only pass on"


@pytest.mark.slow
def test_a_killed_scheduler(processes, capsys):
    """When the scheduler goes away, what is finished is kept, and the next run does the rest."""
    with another_course():
        hand_in("ben", without_torch())
        hand_in("gus", without_torch("import time; time.sleep(10)"))

        def kill() -> None:
            until(lambda: journal.read(LAB, "ben") and processes.busy())
            processes.scheduler.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        assert main(["grade", LAB, "--scheduler", processes.address]) == 2
        killer.join()
        said = capsys.readouterr().err
        assert f"The scheduler at {processes.address} is gone." in said
        assert said.count("\n") == 1
        assert [record.student for record in journal.records(LAB)] == ["ben"]
        written = (journal.folder(LAB) / "ben.json").stat().st_mtime_ns

        assert main(["grade", LAB, "--scheduler", processes.address]) == 2
        assert "There is no scheduler at" in capsys.readouterr().err
        assert main(["grade", LAB]) == 0
        assert [record.status for record in journal.records(LAB)] == ["GRADED", "GRADED"]
        assert (journal.folder(LAB) / "ben.json").stat().st_mtime_ns == written, "ben was graded twice"


def test_no_scheduler(capsys):
    """A wrong address is one sentence and a 2, at once."""
    with another_course():
        hand_in("fay", {})
        for address in ("tcp://127.0.0.1:1", "nowhere", "smtp://127.0.0.1:25", "127.0.0.1:99999", ""):
            assert main(["grade", LAB, "--scheduler", address]) == 2
            said = capsys.readouterr().err
            assert f"There is no scheduler at {address}" in said
            assert said.count("\n") == 1
        assert not journal.records(LAB)


@pytest.mark.parametrize("words", [b"", b"220 mail.example.org ESMTP"])
def test_another_service(words, monkeypatch, capsys):
    """At the address of something else that listens, silent or not, nobody waits for long."""
    monkeypatch.setattr(dask_pool, "CONNECT", 1)
    with another_course(), socket.create_server(("127.0.0.1", 0)) as service:
        hand_in("fay", {})

        def speak() -> None:
            guest, _ = service.accept()
            guest.sendall(words)
            with contextlib.suppress(ConnectionError):
                guest.recv(1)

        speaker = threading.Thread(target=speak)
        speaker.start()
        assert main(["grade", LAB, "--scheduler", f"tcp://127.0.0.1:{service.getsockname()[1]}"]) == 2
        speaker.join()
    assert "There is no scheduler at" in capsys.readouterr().err


def test_without_the_package(monkeypatch, capsys):
    """Who grades on one machine need not have Dask; who asks for a cluster without it is told."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with another_course():
        hand_in("fay", {})
        assert main(["grade", LAB, "--scheduler", "tcp://127.0.0.1:1"]) == 2
        assert "needs the package 'distributed'" in capsys.readouterr().err
        assert main(["grade", LAB]) == 1


def test_workers_of_two_kinds(monkeypatch):
    """A worker that computes on another device or with other sizes refuses, rather than grade otherwise."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    here = dask_worker.circumstances({"PRUNING_LABS_MODEL": "tiny"})
    for other in ("device", "sizes"):
        expected = dask_worker.Circumstances(**(vars(here) | {other: "another"}))
        with pytest.raises(LabError, match="one class needs workers of one kind"):
            dask_worker.grade_there(None, {"PRUNING_LABS_MODEL": "tiny"}, expected)


class Told:
    """In place of a client: workers with these resources, which compute as told."""

    status = "running"

    def __init__(self, resources: list[dict], there: dask_worker.Circumstances):
        self.workers = {str(number): {"resources": each} for number, each in enumerate(resources)}
        self.there, self.asked = there, {}

    def scheduler_info(self) -> dict:
        return {"workers": self.workers}

    def get_executor(self, **asked):
        self.asked = asked
        answer = SimpleNamespace(result=lambda: pickle.dumps(self.there))
        return SimpleNamespace(submit=lambda *_: answer)


def test_workers_with_a_gpu(monkeypatch, capsys):
    """Where workers announce a GPU, they alone are asked; the records say that they computed otherwise."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    here = dask_worker.circumstances({"PRUNING_LABS_MODEL": "tiny"})
    plain = Told([{}, {}, {}], here)
    pool = Cluster(plain, "tcp://x:1")
    assert "resources" not in plain.asked
    assert (pool.pool().width(), pool.version("7")) == (3, "7")
    mixed = Told([{}, {"GPU": 1}, {"GPU": 2}], dask_worker.Circumstances(here.code, here.sizes, "gpu"))
    pool = Cluster(mixed, "tcp://x:1")
    assert mixed.asked["resources"] == {"GPU": 1}
    assert pool.pool().width() == 2
    mixed.workers.clear()
    assert [pool.pool().width() for _ in range(3)] == [1, 1, 1]
    assert capsys.readouterr().out.count("no worker with a GPU now") == 1
    assert pool.version("7") not in ("7", pool.version("8"))
