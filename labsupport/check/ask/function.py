"""Answers the examiner with a function of one file: `python -m labsupport.check.ask.function NAME FILE`.

Exit status 0: all cases are answered; 3: the file cannot be run or lacks the function, and a sentence
gives the reason.
"""

import os
import runpy
import sys

from labsupport import machine
from labsupport.check.ask import shared
from labsupport.check.ask.client import answer_examiner
from labsupport.graded import SOCKET

CANNOT = 3


def main(name: str, path: str) -> None:
    """Answer the examiner with function `name` of the file at `path`."""
    machine.tell()  # before any line of the file
    shared.take_over()
    try:
        function = runpy.run_path(path, run_name="answers").get(name)
    except BaseException as problem:
        sys.exit(_refuse(f"{path} cannot be run: {type(problem).__name__}: {problem}"))
    if not callable(function):
        sys.exit(_refuse(f"{path} defines no function called {name}."))
    answer_examiner(name, function, os.environ[SOCKET])


def _refuse(sentence: str) -> int:
    print(f"\n{sentence}")
    return CANNOT


if __name__ == "__main__":
    main(*sys.argv[1:])
