"""Sends hidden cases over a Unix socket and judges the answers, outside the process of the student.

The client is untrusted. It names an exercise, then receives one case at a time and sends one plain answer
to each. The examiner trusts no data about the client and never sends a verdict. A message that violates
the protocol, or a late one, ends that exercise only. What is requested but not begun when the sandbox ends
is dropped.
"""

import contextlib
import functools
import hashlib
import socket
import threading
import time
from collections.abc import Collection
from pathlib import Path

import torch

from grader.author.given import withheld
from grader.grade.journal import Measured
from grader.grade.listener import Listener, hang_up
from labsupport.check.ask import wire
from labsupport.check.ask.answer import Malformed, Request, decode
from labsupport.check.ask.surroundings import full_precision
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit import memo, pruned, strain
from labsupport.check.judge.kit.carried import judge_again
from labsupport.check.judge.kit.exercise import Case, Exercise, faulted, taken_openly, unanswered
from labsupport.check.judge.kit.judging import judge
from labsupport.check.judge.kit.verdict import Verdict
from labsupport.errors import LabError, reason

REQUEST_SECONDS = 60  # for a connection's request
ANSWER_SECONDS = 60  # per answer; a costly case, on the course model, has more
COSTLY_SECONDS = 900
ROUNDS = 20  # runs of one exercise per submission
BROKEN = (
    "The GPU failed while a judge used it ({}), and this process can use it no more. Nothing that it would "
    "judge means anything: all finished records are kept, run the same command again."
)
SHARED = 100  # requested perplexities of masks per submission


class Silence(Exception):
    """The client sent no answer that can be judged; the text is the reason."""


def hidden_seed(course_seed: int, exercise: str) -> int:
    """The seed of an exercise's hidden cases: different for each exercise and each course, never 0."""
    digest = hashlib.sha256(f"{course_seed}:{exercise}".encode()).digest()
    return int.from_bytes(digest[:6]) + 1


class Examiner:
    """A context that listens at `path`; `verdicts` holds the last verdict on each exercise.

    lab: the number of the lab, None for any; only its exercises are asked, and only a lab that is given
    the perplexity may request one. taken: the exercises that take the course's own function; they are asked
    nothing.

    A requested perplexity is that of the course model on the course's evaluation windows, under masks that
    the submission sends; nothing else is measured for it. No exercise of a lab that may request one asks
    for that number: the judges of prune_magnitude, prune_wanda, prune_blocks and drop_blocks compare the
    masks and the weights themselves, and measure the perplexity again; that of smallest_file measures on
    other text, which is not sent. Requests get None in lab 01, where the number is an exercise's answer, and
    in lab 00. A request reveals one thing about the class: by the time that it takes, whether these
    very masks were measured before.
    """

    def __init__(self, path: Path, course_seed: int, lab: int | None = None, taken: Collection[str] = ()):
        self.path, self.course_seed, self.lab, self.taken = path, course_seed, lab, taken
        self.may_request = lab is None or "perplexity.py" not in withheld(lab, grading=True)
        self.verdicts: dict[str, Verdict] = {name: taken_openly(EXERCISES[name]) for name in taken}
        self.rounds: dict[str, int] = {}
        self.fault: Exception | None = None  # an error of the grader, never of the student
        self.strained = ""  # the exercise that the GPU failed in, and its error
        self.seconds = 0.0  # time for making cases and judging, without waiting for answers
        self.shared: list[Measured] = []  # the answered perplexities of masks
        self._listener = Listener(path, self._answer)
        self._waited = 0.0
        self._asking: socket.socket | None = None  # the last connection that named an exercise
        self._choosing, self._one_exercise = threading.Lock(), threading.Lock()
        self._unpacking = threading.Lock()  # a message may take ten times its bytes while it is unpacked
        self._work = threading.Lock()  # held while a thread makes cases, judges or measures

    def __enter__(self):
        self._listener.__enter__()
        return self

    def __exit__(self, *_):
        try:
            self._listener.__exit__()
        except TimeoutError as fault:
            self.fault = self.fault or fault

    def _answer(self, connection: socket.socket) -> None:
        """Read the request of a connection, and answer it; a perplexity may be requested in an exercise."""
        try:
            request = self._request(connection)
            if request is None:
                return
            if request.masks is not None:
                self._measure(connection, request.masks)
            elif exercise := self._exercise(request.exercise):
                self._one_at_a_time(connection, exercise)
        except Exception as fault:
            self.fault = fault

    def _request(self, connection: socket.socket) -> Request | None:
        """The request, or None for a malformed one."""
        try:
            message = wire.read(connection, time.monotonic() + REQUEST_SECONDS)
            self._listener.heard(connection)
            with self._unpacking:
                return decode(wire.unpack(message), Request)
        except Malformed:
            with contextlib.suppress(OSError):
                wire.send(connection, {"perplexity": None})
        except (wire.WireError, OSError, EOFError):
            pass
        return None

    def _one_at_a_time(self, connection: socket.socket, exercise: Exercise) -> None:
        """Judge an exercise; a newer request for one ends this one, because one check cell runs at a time."""
        with self._choosing:
            before = self._asking
            if before is not None and self._listener.is_older(connection, before):
                return
            self._asking = connection
        if before is not None:
            hang_up(before)
        with self._one_exercise, self._work:
            if self._asking is connection and not self._listener.over.is_set():
                self._converse(connection, exercise)

    def _exercise(self, name: str) -> Exercise | None:
        """The exercise of this name, if there is one in the lab."""
        if name in EXERCISES and (self.lab is None or EXERCISES.lab(name) == self.lab):
            return EXERCISES[name]
        return None

    def _measure(self, connection: socket.socket, masks: dict[str, torch.Tensor]) -> None:
        """Send the perplexity of the course model under these masks, or None: the client measures it."""
        value = None
        if (
            self.may_request
            and len(self.shared) < SHARED
            and all(mask.dtype is torch.uint8 for mask in masks.values())
        ):
            with self._work:
                if self._listener.over.is_set():
                    return
                started = time.monotonic()
                full_precision()
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
        except LabError:
            raise
        except Exception as problem:  # not masks of this model, no perplexity, or an error here
            if strain.is_broken(problem):
                raise LabError(BROKEN.format(reason(problem))) from problem
            return None
        self.shared.append(Measured(masks=key, perplexity=value, how=how))
        return value

    def _converse(self, connection: socket.socket, exercise: Exercise) -> None:
        self.rounds[exercise.name] = self.rounds.get(exercise.name, 0) + 1
        if self.rounds[exercise.name] > ROUNDS:
            return
        if exercise.name not in self.taken:
            self._judge(connection, exercise)
        with contextlib.suppress(OSError):
            wire.send(connection, {"inputs": None})

    def _judge(self, connection: socket.socket, exercise: Exercise) -> None:
        started, waited = time.monotonic(), self._waited
        full_precision()
        seed, ask = functools.partial(hidden_seed, self.course_seed), functools.partial(self._ask, connection)
        try:
            cases = exercise.cases(seed(exercise.name))
            verdict = judge(exercise, cases, functools.partial(ask, exercise.name))
            with contextlib.suppress(Silence):
                verdict = judge_again(EXERCISES, verdict, ask, seed, self.verdicts)
        except Silence as silence:
            verdict = unanswered(exercise, str(silence))
        except LabError:
            raise  # no submission can be judged here
        except Exception as problem:
            verdict = self._failed(exercise, problem)
        self.verdicts[exercise.name] = verdict
        self.seconds += time.monotonic() - started - (self._waited - waited)

    def _failed(self, exercise: Exercise, problem: Exception) -> Verdict:
        """The verdict where a judge or the GPU failed. Raises LabError if this process lost its GPU."""
        if strain.is_broken(problem):
            raise LabError(BROKEN.format(reason(problem))) from problem
        if not (isinstance(problem, strain.Strained) or strain.is_full(problem)):
            return faulted(exercise, problem)
        self.strained = f"{exercise.name}, {reason(problem)}"
        return strain.not_judged(exercise, problem)

    def _ask(self, connection: socket.socket, exercise: str, case: Case):
        seconds = COSTLY_SECONDS if case.costly else ANSWER_SECONDS
        connection.settimeout(seconds)
        started = time.monotonic()
        self._work.release()  # the client may request a perplexity while it computes its answer
        try:
            wire.send(connection, {"exercise": exercise, "inputs": case.inputs})
            return wire.receive(connection, deadline=started + seconds)
        except TimeoutError:
            raise Silence(f"no answer within {seconds} s") from None
        except wire.WireError as problem:
            raise Silence(f"the answer was refused: {problem}") from None
        except (EOFError, OSError):
            if self._asking is not connection:
                raise Silence("another check began before this one was answered") from None
            raise Silence("the process ended before it answered") from None
        finally:
            self._work.acquire()
            full_precision()
            self._waited += time.monotonic() - started
