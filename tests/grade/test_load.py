"""Whatever a sandbox does to the examiner's socket costs bounded time and memory, and its exercise only."""

import contextlib
import dataclasses
import resource
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from grader.grade import examiner as module
from grader.grade import listener
from grader.grade.examiner import Examiner
from labsupport.check.ask import client, wire
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.exercise import Case

NAME = "windows"
ASK = {"exercise": NAME}


def cut(token_ids, length):
    if len(token_ids) < length:
        raise ValueError
    return token_ids[: len(token_ids) // length * length].view(-1, length)


@contextlib.contextmanager
def examining(folder: Path) -> Iterator[Examiner]:
    """An examiner that must end with all of its threads, whatever it holds then."""
    before = set(threading.enumerate())
    examiner = Examiner(folder / "socket", 5)
    with examiner:
        yield examiner
    assert set(threading.enumerate()) <= before
    assert not (folder / "socket").exists()


def connected(examiner: Examiner) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(examiner.path))
    connection.settimeout(60)
    return connection


def check(examiner: Examiner) -> float:
    """The share of an honest check."""
    client.answer_examiner(NAME, cut, str(examiner.path))
    return examiner.verdicts[NAME].share


def until(true) -> None:
    """Wait for something that another thread does."""
    for _ in range(3000):
        if true():
            return
        time.sleep(0.02)
    raise AssertionError("it never came to be")


@pytest.mark.parametrize(
    "said", [b"", b"\x07", struct.pack("<Q", 1000), struct.pack("<Q", 2**25) + bytes(2**16)]
)
def test_held_connections_keep_no_check_waiting(tmp_path, monkeypatch, said):
    """Connections that are opened and say nothing, or half of something, give way to an honest check."""
    monkeypatch.setattr(module, "REQUEST_SECONDS", 10**6)
    with contextlib.ExitStack() as held, examining(tmp_path) as examiner:
        for _ in range(5 * listener.AT_ONCE):
            held.enter_context(connection := connected(examiner))
            with contextlib.suppress(OSError):
                connection.sendall(said)
        assert check(examiner) == 1
    assert examiner.fault is None


FLOOD = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
held = []
for _ in range(3000):
    one = socket.socket(socket.AF_UNIX)
    one.connect(sys.argv[1])
    held.append(one)
print("all", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def few_files(request):
    """This process may open only so many files more; a function that lifts the limit."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open("/dev/null") as next_one:
        resource.setrlimit(resource.RLIMIT_NOFILE, (next_one.fileno() + request.param, before[1]))

    def lift() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    yield lift
    lift()


@pytest.mark.lengthy
@pytest.mark.parametrize("few_files", [40], indirect=True)
def test_thousands_of_connections_under_a_low_limit(tmp_path, few_files):
    """3,000 connections under a low limit of open files: the check beside them is right, and all ends."""
    with examining(tmp_path) as examiner:
        command = [sys.executable, "-c", FLOOD, str(examiner.path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as flood:
            assert flood.stdout is not None
            assert flood.stdout.readline() == b"all\n"
            assert check(examiner) == 1
            flood.communicate()
    assert examiner.fault is None


@pytest.mark.parametrize("few_files", [3], indirect=True)
def test_no_file_descriptor_is_left(tmp_path, few_files):
    """Without a free descriptor the examiner waits; with one again it answers, and without one it ends."""
    with examining(tmp_path) as examiner:
        held = []
        with pytest.raises(OSError, match="Too many open files"):
            while True:
                held.append(connected(examiner))
        few_files()
        for connection in held:
            connection.close()
        assert check(examiner) == 1
    assert examiner.fault is None


@pytest.mark.parametrize("few_files", [3], indirect=True)
def test_it_ends_without_a_file_descriptor(tmp_path, few_files):
    """The examiner's end needs no file descriptor."""
    held = []
    with examining(tmp_path) as examiner, pytest.raises(OSError, match="Too many open files"):
        while True:
            held.append(connected(examiner))
    for connection in held:
        connection.close()


def test_a_byte_now_and_then(tmp_path, monkeypatch):
    """A request has one deadline for all of its bytes."""
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.5)
    with examining(tmp_path) as examiner, connected(examiner) as connection:
        connection.sendall(struct.pack("<Q", 1000))

        def refused() -> bool:
            try:
                connection.sendall(b"\x01")
            except OSError:
                return True
            return False

        until(refused)


def test_who_never_reads_is_late(tmp_path, monkeypatch):
    """A client that does not read a large case is as late as one that does not answer it."""
    large = dataclasses.replace(
        EXERCISES[NAME], cases=lambda _seed: [Case("large", {"token_ids": torch.zeros(2**22), "length": 1})]
    )
    monkeypatch.setattr(module, "EXERCISES", {NAME: large})
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.5)
    with examining(tmp_path) as examiner, connected(examiner) as connection:
        wire.send(connection, ASK)
        until(lambda: examiner.verdicts)
    assert "no answer within 0.5 s" in examiner.verdicts[NAME].message()


def test_half_closed(tmp_path):
    """A client that ends its own sending has answered nothing; the next check is right."""
    with examining(tmp_path) as examiner:
        with connected(examiner) as connection:
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""
        with connected(examiner) as connection:
            wire.send(connection, ASK)
            connection.shutdown(socket.SHUT_WR)
            until(lambda: examiner.verdicts)
        assert "the process ended before it answered" in examiner.verdicts[NAME].message()
        assert check(examiner) == 1


def test_a_newer_check_ends_an_older_one(tmp_path):
    """Checks that are begun and never answered keep no later one waiting."""
    with contextlib.ExitStack() as held, examining(tmp_path) as examiner:
        for _ in range(3 * listener.AT_ONCE):
            wire.send(held.enter_context(connected(examiner)), ASK)
        assert check(examiner) == 1


def test_the_end_waits_for_no_answer(tmp_path):
    """When the sandbox has ended, a case that waits for its answer, and what waits for a request, end too."""
    with contextlib.ExitStack() as held, examining(tmp_path) as examiner:
        asking = held.enter_context(connected(examiner))
        wire.send(asking, ASK)
        wire.receive(asking)
        for _ in range(4):
            held.enter_context(connected(examiner)).sendall(b"\x01")
    assert examiner.verdicts[NAME].share == 0


def test_nothing_is_worked_off_after_the_end(tmp_path, monkeypatch):
    """Perplexities and exercises that wait behind a judgement are dropped when the sandbox has ended."""
    begun, goes_on, measured = threading.Event(), threading.Event(), []

    def judging(_seed):
        begun.set()
        goes_on.wait()
        return EXERCISES[NAME].cases(1)

    slow = dataclasses.replace(EXERCISES[NAME], cases=judging)
    monkeypatch.setattr(module, "EXERCISES", {NAME: slow})
    monkeypatch.setattr(Examiner, "_shared", lambda _self, masks: measured.append(masks))
    with contextlib.ExitStack() as held, examining(tmp_path) as examiner:
        wire.send(held.enter_context(connected(examiner)), ASK)
        assert begun.wait(60)
        for _ in range(5):
            wire.send(held.enter_context(connected(examiner)), {"masks": {}})
        until(lambda: not examiner._listener._silent)
        threading.Timer(0.2, goes_on.set).start()
    assert measured == []
    assert examiner.verdicts[NAME].share == 0
    assert examiner.fault is None


def test_a_judge_that_does_not_end(tmp_path, monkeypatch):
    """It is the grader's fault, and stops nobody else's grading."""
    monkeypatch.setattr(listener, "END_SECONDS", 0.2)
    begun, goes_on = threading.Event(), threading.Event()
    endless = dataclasses.replace(EXERCISES[NAME], cases=lambda _seed: begun.set() or goes_on.wait() or [])
    monkeypatch.setattr(module, "EXERCISES", {NAME: endless})
    with Examiner(tmp_path / "socket", 5) as examiner, connected(examiner) as connection:
        wire.send(connection, ASK)
        assert begun.wait(60)
    goes_on.set()
    assert isinstance(examiner.fault, TimeoutError)


def message(structure: bytes, table: bytes, data: bytes = b"") -> bytes:
    """The bytes of a message, with its length, from its JSON, the header of safetensors, and the tensors."""
    body = struct.pack("<Q", len(table)) + table + data
    whole = struct.pack("<QQ", len(structure), len(body)) + structure + body
    return struct.pack("<Q", len(whole)) + whole


def table(name: object, size: int) -> bytes:
    return b'"%s":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}' % (str(name).encode(), size, size)


TENSOR = b'{"tensor":"0","dtype":"torch.%s","shape":[%s]}'
MIB = 2**20
RAW = {
    "a length of 2**63": lambda: struct.pack("<Q", 2**63) + bytes(99),
    "a length of -1": lambda: struct.pack("<q", -1) + bytes(99),
    "zeros": lambda: bytes(100 * MIB),
    "the longest message of zeros": lambda: struct.pack("<Q", 64 * MIB) + bytes(64 * MIB),
    "lengths inside that lie": lambda: struct.pack("<QQQ", 116, 2**63, 2**63) + bytes(100),
    "lengths inside that wrap round": lambda: struct.pack("<QQQ", 24, 2**64 - 8, 16) + bytes(8),
    "a shape of 2**33 bools": lambda: message(TENSOR % (b"bool", b"8589934592"), b"{%s}" % table(0, 1), b"1"),
    "an empty tensor with long axes": lambda: message(
        TENSOR % (b"uint8", b"0, 549755813888, 16777216"), b"{%s}" % table(0, 0)
    ),
    "NaN in a shape": lambda: message(TENSOR % (b"uint8", b"NaN"), b"{%s}" % table(0, 1), b"1"),
    "a negative shape": lambda: message(TENSOR % (b"uint8", b"-1, -1"), b"{%s}" % table(0, 1), b"1"),
    "a million tensors": lambda: message(b"null", b"{%s}" % b",".join(table(i, 0) for i in range(900_000))),
    "a million remarks": lambda: message(
        b"null", b'{"__metadata__":{%s}}' % b",".join(b'"%d":""' % i for i in range(900_000))
    ),
    "a tensor twice": lambda: message(b"null", b"{%s,%s}" % (table(0, 4), table(0, 4)), b"1234"),
    "overlapping tensors": lambda: message(b"null", b"{%s,%s}" % (table(0, 4), table(1, 4)), b"1234"),
    "offsets beyond the end": lambda: message(b"null", b"{%s}" % table(0, 2**62), b"1234"),
    "a table longer than the body": lambda: struct.pack("<QQQ4sQ", 28, 4, 8, b"null", 2**63),
    "many empty lists": lambda: message(b'{"list":[%s]}' % b",".join([b'{"list":[]}'] * 4_000_000), b"{}"),
    "many numbers": lambda: message(b'{"list":[%s]}' % b",".join([b"1"] * 500_000), b"{}"),
    "deep lists": lambda: message(b'{"list":[' * 10**5 + b"]}" * 10**5, b"{}"),
    "a deep table": lambda: message(b"null", b'{"0":%s%s}' % (b"[" * 10**6, b"]" * 10**6)),
    "a number of a million digits": lambda: message(b"1" * 10**6, b"{}"),
    "lone surrogates": lambda: message(b'{"dict":{"\\ud800":"\\udfff"}}', b"{}"),
}


def peak() -> int:
    """The most bytes of memory that this process has had since `forget_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


@pytest.mark.lengthy
@pytest.mark.parametrize("case", RAW)
@pytest.mark.parametrize("place", ["request", "answer"])
def test_raw_bytes(tmp_path, case, place):
    """Other bytes than a message, as request or as answer, cost little, and the exercise only."""
    raw = RAW[case]()
    with examining(tmp_path) as examiner:
        check(examiner)
        forget_peak()
        memory, seconds = peak(), time.process_time()
        with connected(examiner) as connection:
            if place == "answer":
                wire.send(connection, ASK)
                wire.receive(connection)
                examiner.verdicts.clear()
            with contextlib.suppress(OSError):
                connection.sendall(raw)
            if place == "answer":
                until(lambda: examiner.verdicts)
                assert examiner.verdicts[NAME].share == 0
            with contextlib.suppress(ConnectionError):
                while connection.recv(2**16):
                    pass
        assert peak() - memory < 400 * MIB
        assert time.process_time() - seconds < 5
        assert check(examiner) == 1
    assert examiner.fault is None
