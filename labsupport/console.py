"""The output of commands on a terminal or into a file, in any encoding."""

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

CLOSED = 141  # exit status of a command whose reader has gone, 128 + SIGPIPE
INTERRUPTED = 130  # of one that Ctrl-C has ended, 128 + SIGINT
TERMINATED = 143  # of one that `kill` or a cluster's queue has ended, 128 + SIGTERM


class Terminated(KeyboardInterrupt):
    """SIGTERM: whoever sends it waits a while, in which a command can keep what it has, as on Ctrl-C."""


def hear_terminate() -> None:
    """Let SIGTERM end this process as Ctrl-C does, with its own exit status."""

    def end(_number, _frame):
        raise Terminated

    signal.signal(signal.SIGTERM, end)


def never_fail() -> None:
    """Print a letter that the output's encoding lacks as an escape, such as \\uae40, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a notebook's stream takes every letter
            stream.reconfigure(errors="backslashreplace")


def file_name(text: str) -> Path:
    """Parse an argument that names a file; "-" is no file to commands that cannot do without one."""
    if text == "-":
        raise argparse.ArgumentTypeError("a file's name is needed here, and - is none")
    return Path(text)


def printable(text: str) -> str:
    """A text of somebody else's for a terminal, which obeys some of what is no letter, as in \\x1b[2J."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


def needs_course(command: str, problem: ModuleNotFoundError) -> str:
    """A sentence for a command that needs more than labsupport alone."""
    return f"`{command}` needs {problem.name}, which is not here: pip install 'pruning-labs[course]'."


def was_interrupted(problem: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: transformers makes a missing module of one that ends an import."""
    return interrupt(problem) is not None


def interrupt(problem: BaseException | None) -> KeyboardInterrupt | None:
    """The interrupt that is an error or is behind it; None without one."""
    seen: list[BaseException] = []  # SQLAlchemy's causes go in a circle
    while problem is not None and problem not in seen:
        if isinstance(problem, KeyboardInterrupt):
            return problem
        seen.append(problem)
        problem = problem.__cause__ or problem.__context__
    return None


def to_the_end(main: Callable[[], int]) -> int:
    """Run a command; its exit status. A reader that leaves early, such as `| head`, ends it silently."""
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED
