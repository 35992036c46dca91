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
from dataclasses import replace
from pathlib import Path

from labsupport.check import EXERCISES, wire
from labsupport.check.exercise import Case, Exercise, judge
from labsupport.check.verdict import WRONG, Line, Verdict

ANSWER_SECONDS = 60  # for one answer; a costly one, with the course model in it, gets more
COSTLY_SECONDS = 900
ROUNDS = 20  # times that one submission may have one exercise asked


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
        self._socket = socket.socket(socket.AF_UNIX)
        self._open, self._waited = True, 0.0

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
        while self._open:
            connection, _ = self._socket.accept()
            with connection:
                if not self._open:
                    return
                try:
                    self._converse(connection)
                except Exception as fault:
                    self.fault = fault

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(ANSWER_SECONDS)
        try:
            exercise = EXERCISES[wire.receive(connection)["exercise"]]
        except (wire.WireError, OSError, EOFError, TypeError, KeyError):
            return  # it never said which exercise
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

    def _ask(self, connection: socket.socket, case: Case) -> dict:
        seconds = COSTLY_SECONDS if case.costly else ANSWER_SECONDS
        connection.settimeout(seconds)
        started = time.monotonic()
        try:
            wire.send(connection, {"inputs": case.inputs})
            answer = wire.receive(connection, deadline=started + seconds)
        except TimeoutError:
            raise Silence(f"no answer within {seconds} s") from None
        except wire.WireError as problem:
            raise Silence(f"the answer was refused: {problem}") from None
        except (EOFError, OSError):
            raise Silence("the process ended before it answered") from None
        finally:
            self._waited += time.monotonic() - started
        return plausible(answer)


def plausible(answer) -> dict:
    """The answer as asking.call describes it, or Silence: its shape is checked before any judge sees it."""
    if not isinstance(answer, dict) or "value" not in answer:
        raise Silence("the answer is not of the form that a check cell sends")
    error = answer.get("error")
    if error is not None and not (
        isinstance(error, dict)
        and isinstance(error.get("names"), list)
        and error["names"]
        and all(isinstance(name, str) for name in error["names"])
        and isinstance(error.get("text"), str)
        and isinstance(error.get("where"), str)
    ):
        raise Silence("the error that the answer reports is not of the form that a check cell sends")
    changed = answer.get("changed")
    if not isinstance(changed, list) or not all(isinstance(name, str) for name in changed):
        raise Silence("the answer is not of the form that a check cell sends")
    return answer


def unanswered(exercise: Exercise, why: str) -> Verdict:
    """The verdict on an exercise that was asked and not answered."""
    return Verdict(exercise.name, exercise.number, WRONG, [Line("FAILED", why)], 0.0)


def not_asked(exercise: Exercise, why: str) -> Verdict:
    """The verdict on an exercise whose check cell never ran."""
    return replace(unanswered(exercise, why), status="unasked")
