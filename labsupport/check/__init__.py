"""The checks: `check.NAME(function)` asks the exercise NAME of that function and says what it found.

At home the public cases are asked and judged in this process. While a notebook is graded, the function
answers the examiner, and no judge is here.
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
VERDICTS = "PRUNING_LABS_VERDICTS"  # a file that gets every verdict as a line of JSON: `labsupport check`

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
    """What a check cell calls. Prints a pass in one line; raises CheckFailed with the message otherwise."""
    if being_graded():
        client.answer_examiner(name, function, os.environ[SOCKET])
        print(f"Check {name}: answered; your grade comes with the feedback")
        return
    from labsupport.check.judge.kit.exercise import judge
    from labsupport.check.judge.kit.verdict import CheckFailed, Ending

    exercise = _exercises()[name]
    with contextlib.redirect_stderr(sys.stdout):  # the Validate button takes a line on stderr for a failure
        cases = exercise.cases(PUBLIC_SEED)
        verdict = judge(exercise, cases, lambda case: client.answer_here(name, function, case.inputs))
    if VERDICTS in os.environ:
        with open(os.environ[VERDICTS], "a", encoding="utf-8") as file:
            file.write(json.dumps(msgspec.to_builtins(verdict)) + "\n")
    if verdict.status != Ending.RIGHT:
        raise CheckFailed(verdict.message())
    print(verdict.message())
