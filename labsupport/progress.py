"""One progress bar for everything long: in a terminal, in Jupyter, and silent under grading."""

import os
import sys
from collections.abc import Iterable

from tqdm.auto import tqdm


def being_graded() -> bool:
    """Whether an examiner asks the questions (it names its socket in PRUNING_LABS_SOCKET)."""
    return "PRUNING_LABS_SOCKET" in os.environ


def bar(iterable: Iterable | None = None, what: str = "", **options) -> tqdm:
    """A tqdm bar on standard output that vanishes when it is done."""
    return tqdm(iterable, desc=what, file=sys.stdout, leave=False, disable=being_graded(), **options)
