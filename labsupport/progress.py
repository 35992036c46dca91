"""The progress bar of the course: shown in a terminal and in Jupyter, silent everywhere else.

It is text in both, because a Jupyter widget leaves a remnant in a saved notebook.
"""

import sys
from collections.abc import Iterable

from tqdm import tqdm

from labsupport.graded import being_graded


def nobody_watches() -> bool:
    """Whether bars are off: under grading, and outside a terminal and Jupyter."""
    return being_graded() or not (sys.stdout.isatty() or in_a_notebook())


def in_a_notebook() -> bool:
    """Whether this process is a Jupyter kernel and does not merely import the code of one."""
    kernel = sys.modules.get("ipykernel.kernelapp")
    return kernel is not None and kernel.IPKernelApp.initialized()


class Bar(tqdm):
    """tqdm on standard output that vanishes when done; a class, because the hub library needs one."""

    def __init__(self, *arguments, **options):
        super().__init__(
            *arguments, **{**options, "file": sys.stdout, "leave": False, "disable": nobody_watches()}
        )


def bar(iterable: Iterable | None = None, what: str = "", **options) -> tqdm:
    """A tqdm bar on standard output that vanishes when it is done."""
    return Bar(iterable, desc=what, **options)


def loading(what: str) -> tqdm:
    """A line that says what takes seconds and has no steps, until its context ends."""
    return bar(what=what, bar_format="{desc} ...")
