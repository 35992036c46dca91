"""The output of commands on a terminal or in a file of any encoding."""

import sys


def never_fail() -> None:
    """Print a letter that the output's encoding lacks as an escape, such as \\uae40, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's stream has no encoding, and takes every letter
            stream.reconfigure(errors="backslashreplace")
