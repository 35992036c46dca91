"""The checks: `check.NAME(function)` runs the exercise NAME on that function and prints the result.

At home this process runs the public cases and judges the answers. Under grading, the function answers
the examiner's cases, and the sandbox contains no judge.
"""

import contextlib
import functools
import json
import os
import sys
import textwrap
from collections.abc import Callable

import msgspec

from labsupport.errors import LabError, reason
from labsupport.graded import SOCKET, being_graded

PUBLIC_SEED = 0
VERDICTS = "PRUNING_LABS_VERDICTS"  # file for verdicts, one JSON line each, set by `labsupport check`

if being_graded():
    from labsupport.check.ask import shared

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


def _warned(name: str) -> str:
    """A warning above the message, where the function's newest cell did not run."""
    from labsupport.check.notebook import not_run

    said = textwrap.fill(not_run(name), 83)
    return f"{said}\n\n" if said else ""


def _check(name: str, function: Callable) -> None:
    """The body of a check: prints a pass or a given function, otherwise raises CheckFailed."""
    from labsupport.check.ask import client

    if being_graded():
        client.answer_examiner(name, function, os.environ[SOCKET])
        print(f"Check {name}: answered; your grade comes with the feedback")
        return
    from labsupport import standing
    from labsupport.check.ask.surroundings import usual
    from labsupport.check.judge.kit import strain
    from labsupport.check.judge.kit.carried import earlier_named, judge_again
    from labsupport.check.judge.kit.exercise import Case, faulted, taken_openly
    from labsupport.check.judge.kit.judging import judge
    from labsupport.check.judge.kit.verdict import CheckFailed, Ending, Verdict
    from labsupport.check.judge.taken import is_taken
    from labsupport.linears import sparse_models_expected
    from labsupport.memory import give_back

    exercises = _exercises()

    def ask(asked: str, case: Case):
        called = function if asked == name else client.earlier(function, asked)
        try:
            return client.answer_here(asked, called, case.inputs)
        finally:
            if case.costly:  # the judge is about to need as much again
                give_back()

    def judged() -> Verdict:
        if is_taken(name, function):
            return taken_openly(exercises[name])
        verdict = judge(exercises[name], exercises[name].cases(PUBLIC_SEED), functools.partial(ask, name))
        verdict = judge_again(exercises, verdict, ask, lambda _name: PUBLIC_SEED, {})
        defined = [each for each in exercises[name].builds_on if client.earlier(function, each)]
        return earlier_named(exercises, verdict, ask, defined, PUBLIC_SEED)

    # the Validate button reads stderr output as a failure
    with contextlib.redirect_stderr(sys.stdout), usual(), sparse_models_expected():
        try:
            verdict = judged()
        except LabError:
            raise  # a model or text that cannot be loaded here
        except strain.Strained as problem:
            raise LabError(
                f"The GPU failed, and {name} was not judged: {reason(problem)}. Restart the kernel, close "
                "what else uses the GPU, or set PRUNING_LABS_DEVICE=cpu."
            ) from None
        except Exception as problem:
            verdict = faulted(exercises[name], problem)
    standing.note(verdict)
    give_back()
    if VERDICTS in os.environ:
        with open(os.environ[VERDICTS], "a", encoding="utf-8") as file:
            file.write(json.dumps(msgspec.to_builtins(verdict)) + "\n")
    warned = _warned(name)
    message = warned + verdict.message(len(warned.splitlines()))
    if verdict.status not in (Ending.RIGHT, Ending.GIVEN):  # after a given function the notebook goes on
        raise CheckFailed(message)
    print(message)
