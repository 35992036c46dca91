"""Asks hidden cases over a Unix socket and judges the answers, outside the process that gives them.

The other side is the student's. It says which exercise it wants to be asked, and then gets one case
after the other and sends one bare answer to each. Nothing it says about itself is believed, and it
never hears how it did. A message that breaks the protocol, or comes late, ends that exercise and
nothing else.
"""

import contextlib
import hashlib
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from grader.grade.journal import Measured
from labsupport.check.ask import wire
from labsupport.check.ask.answer import Malformed, Request, decode
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit import memo, pruned
from labsupport.check.judge.kit.exercise import Case, Exercise, judge, unanswered
from labsupport.check.judge.kit.verdict import Verdict

ANSWER_SECONDS = 60  # for one answer; a costly one, with the course model in it, gets more
COSTLY_SECONDS = 900
ROUNDS = 20  # times that one submission may have one exercise asked
SHARED = 100  # perplexities of masks that one submission may ask for
AT_ONCE = 8  # connections that one submission may have


class Silence(Exception):
    """The other side gave no answer that could be judged; the text says what happened."""


def hidden_seed(course_seed: int, exercise: str) -> int:
    """The seed of an exercise's hidden cases: another for each exercise and each course, never 0."""
    digest = hashlib.sha256(f"{course_seed}:{exercise}".encode()).digest()
    return int.from_bytes(digest[:6]) + 1


class Examiner:
    """Listens at `path` while it is entered; `verdicts` holds the last verdict on each exercise."""

    def __init__(self, path: Path, course_seed: int):
        self.path, self.course_seed = path, course_seed
        self.verdicts: dict[str, Verdict] = {}
        self.rounds: dict[str, int] = {}
        self.fault: Exception | None = None  # of the grader itself, never of the student
        self.seconds = 0.0  # spent on making cases and judging, not on waiting for answers
        self.shared: list[Measured] = []  # the perplexities of masks that were answered
        self._socket = socket.socket(socket.AF_UNIX)
        self._open, self._waited = True, 0.0
        self._one_exercise = threading.Lock()
        self._work = threading.Lock()  # held by whoever makes cases, judges or measures

    def __enter__(self):
        self._socket.bind(str(self.path))
        os.chmod(self.path, 0o666)  # the sandbox may run as another user; the folder around it is private
        self._socket.listen(1)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._open = False
        with contextlib.suppress(OSError):  # wakes accept()
            socket.socket(socket.AF_UNIX).connect(str(self.path))
        self._thread.join()
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _serve(self) -> None:
        """Accept until the end; a perplexity may be asked for while an exercise is."""
        with ThreadPoolExecutor(AT_ONCE) as executor:
            while True:
                connection, _ = self._socket.accept()
                if not self._open:
                    connection.close()
                    return
                executor.submit(self._answer, connection)

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.settimeout(ANSWER_SECONDS)
                request = decode(wire.receive(connection), Request)
                masks = request.masks
                exercise = None if masks is not None else EXERCISES[request.exercise]
            except (wire.WireError, Malformed, OSError, EOFError, KeyError):
                return  # it asked for nothing that there is
            try:
                if masks is not None:
                    self._measure(connection, masks)
                elif exercise is not None:
                    with self._one_exercise, self._work:
                        self._converse(connection, exercise)
            except Exception as fault:
                self.fault = fault

    def _measure(self, connection: socket.socket, masks: dict[str, torch.Tensor]) -> None:
        """Answer the perplexity of the course model under these masks, or None: measure it yourself."""
        value = None
        if len(self.shared) < SHARED and all(mask.dtype is torch.uint8 for mask in masks.values()):
            with self._work:
                started = time.monotonic()
                value = self._shared(masks)
                self.seconds += time.monotonic() - started
        with contextlib.suppress(OSError):
            wire.send(connection, {"perplexity": value})

    def _shared(self, bits: dict) -> float | None:
        about = pruned.course_case()
        key = pruned.perplexity_key(about, bits)
        how = "known" if memo.knows(key) else "measured"
        try:
            value = pruned.masked_perplexity(about, bits, key)
        except (KeyError, ValueError, OverflowError):  # not masks of this model, or no perplexity
            return None
        self.shared.append(Measured(masks=key, perplexity=value, how=how))
        return value

    def _converse(self, connection: socket.socket, exercise: Exercise) -> None:
        self.rounds[exercise.name] = self.rounds.get(exercise.name, 0) + 1
        if self.rounds[exercise.name] > ROUNDS:
            return
        started, waited = time.monotonic(), self._waited
        cases = exercise.cases(hidden_seed(self.course_seed, exercise.name))
        try:
            verdict = judge(exercise, cases, lambda case: self._ask(connection, case))
        except Silence as silence:
            verdict = unanswered(exercise, str(silence))
        self.verdicts[exercise.name] = verdict
        self.seconds += time.monotonic() - started - (self._waited - waited)
        with contextlib.suppress(OSError):
            wire.send(connection, {"inputs": None})

    def _ask(self, connection: socket.socket, case: Case):
        seconds = COSTLY_SECONDS if case.costly else ANSWER_SECONDS
        connection.settimeout(seconds)
        started = time.monotonic()
        self._work.release()  # while the other side works it may ask for a perplexity
        try:
            wire.send(connection, {"inputs": case.inputs})
            return wire.receive(connection, deadline=started + seconds)
        except TimeoutError:
            raise Silence(f"no answer within {seconds} s") from None
        except wire.WireError as problem:
            raise Silence(f"the answer was refused: {problem}") from None
        except (EOFError, OSError):
            raise Silence("the process ended before it answered") from None
        finally:
            self._work.acquire()
            self._waited += time.monotonic() - started
