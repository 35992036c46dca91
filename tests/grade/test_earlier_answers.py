"""Earlier answers over the socket, honest and by hand: no client gains by them or breaks the examiner."""

import socket
import struct

import pytest

from grader.author import reference
from grader.grade.examiner import Examiner
from labsupport.check.ask import client, wire
from labsupport.check.ask.answer import plain
from labsupport.check.ask.call import call
from labsupport.check.judge.kit.verdict import Ending

pytestmark = pytest.mark.usefixtures("tiny_course")

LATER, EARLIER = "global_magnitude_masks", "magnitude_mask"
SEED = 5


def functions() -> dict:
    """The globals of lab 02's right functions, with a magnitude_mask that drops one weight too few."""
    space = reference.functions("02_magnitude_pruning")[LATER].__globals__
    right = space[EARLIER]

    def lax(weight, sparsity):
        mask = right(weight, sparsity)
        if 0 < sparsity < 1 and not mask.all():
            mask.view(-1)[weight.abs().masked_fill(mask, 0).argmax()] = True
        return mask

    space[EARLIER] = lax
    return space


def examined(tmp_path, *turns) -> Examiner:
    """An examiner after these turns of a client, each of which gets its address."""
    with Examiner(tmp_path / "socket", SEED) as examiner:
        for turn in turns:
            turn(str(examiner.path))
    assert examiner.fault is None
    return examiner


def test_an_honest_client(tmp_path):
    """The function is found among the globals of the one that builds on it, whichever check comes first."""
    space = functions()
    names = (LATER, EARLIER, LATER)
    turns = [lambda address, n=name: client.answer_examiner(n, space[n], address) for name in names]
    first = examined(tmp_path, turns[0]).verdicts[LATER]
    assert (first.share, first.given) == (1, [EARLIER])
    assert examined(tmp_path, *turns).verdicts[LATER] == first


def by_hand(send_earlier):
    """A client that answers its own cases rightly and an earlier one's by `send_earlier(connection)`."""
    space = functions()

    def turn(address: str) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(address)
            wire.send(connection, {"exercise": LATER})
            while (request := wire.receive(connection))["inputs"] is not None:
                if request["exercise"] == LATER:
                    wire.send(connection, plain(call(space[LATER], request["inputs"])))
                elif send_earlier(connection) == "end":
                    return

    return turn


RAW = {
    "ends": lambda connection: "end",
    "no message": lambda connection: connection.sendall(struct.pack("<Q", 3) + b"abc") or "end",
    "too large": lambda connection: connection.sendall(struct.pack("<Q", 2**62)) or "end",
    "nothing": lambda connection: wire.send(connection, {}),
    "a verdict": lambda connection: wire.send(connection, {"status": "wrong", "given": [EARLIER]}),
    "a list": lambda connection: wire.send(connection, [1, 2]),
}


@pytest.mark.parametrize("kind", RAW)
def test_a_client_by_hand(tmp_path, kind):
    """Whatever it sends for the earlier function, the first verdict stands."""
    verdict = examined(tmp_path, by_hand(RAW[kind])).verdicts[LATER]
    assert (verdict.status, verdict.share, verdict.given) == (Ending.WRONG, 0, [])


def test_a_function_that_changes_between_its_checks(tmp_path):
    """A right magnitude_mask, made wrong before 2.3 is checked, carries nothing."""
    right, wrong = reference.functions("02_magnitude_pruning"), functions()
    verdict = examined(
        tmp_path,
        lambda address: client.answer_examiner(EARLIER, right[EARLIER], address),
        lambda address: client.answer_examiner(LATER, wrong[LATER], address),
    ).verdicts[LATER]
    assert (verdict.share, verdict.given) == (0, [])
