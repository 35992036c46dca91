"""The output of commands on a terminal or into a file, in any encoding."""

import io
import sys


def never_fail() -> None:
    """Print a letter that the output's encoding lacks as an escape, such as \\uae40, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a notebook's stream takes every letter
            stream.reconfigure(errors="backslashreplace")
