"""The checks: `check.NAME(function)` runs the exercise NAME on that function and prints the result.

At home this process runs the public cases and judges the answers. Under grading, the function answers
the examiner's cases, and the sandbox contains no judge.
"""

import contextlib
import functools
import json
import os
import sys
from collections.abc import Callable

import msgspec

from labsupport.check.ask import client, shared
from labsupport.settings import SOCKET, being_graded

PUBLIC_SEED = 0
VERDICTS = "PRUNING_LABS_VERDICTS"  # file for verdicts, one JSON line each, set by `labsupport check`

if being_graded():
    shared.take_over()


def __getattr__(name: str) -> Callable:
    if name.startswith("_"):
        raise AttributeError(name)
    if not being_graded():
        known = _exercises()
        if name not in known:
            raise AttributeError(f"there is no exercise called {name}; known: {', '.join(known)}")
    return functools.partial(_check, name)


def __dir__() -> list[str]:
    return [] if being_graded() else list(_exercises())


def _exercises():
    from labsupport.check.judge import EXERCISES

    return EXERCISES


def _check(name: str, function: Callable) -> None:
    """The body of a check: prints a pass or a given function, otherwise raises CheckFailed."""
    if being_graded():
        client.answer_examiner(name, function, os.environ[SOCKET])
        print(f"Check {name}: answered; your grade comes with the feedback")
        return
    from labsupport.check.judge.kit.exercise import given, judge
    from labsupport.check.judge.kit.verdict import CheckFailed, Ending
    from labsupport.check.judge.taken import is_taken

    exercise = _exercises()[name]
    with contextlib.redirect_stderr(sys.stdout):  # the Validate button reads stderr output as a failure
        if is_taken(name, function):
            verdict = given(exercise)
        else:
            cases = exercise.cases(PUBLIC_SEED)
            verdict = judge(exercise, cases, lambda case: client.answer_here(name, function, case.inputs))
    if VERDICTS in os.environ:
        with open(os.environ[VERDICTS], "a", encoding="utf-8") as file:
            file.write(json.dumps(msgspec.to_builtins(verdict)) + "\n")
    if verdict.status not in (Ending.RIGHT, Ending.GIVEN):  # after a given function the notebook goes on
        raise CheckFailed(verdict.message())
    print(verdict.message())
