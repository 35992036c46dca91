"""What `make test` runs of a long list of like cases; .ci/run runs them all."""

from collections.abc import Iterable

import pytest


def few(cases: Iterable, of: Iterable) -> list:
    """All of these cases, as pytest parameters; those that are not in `of` are left to .ci/run."""
    chosen = list(of)
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)),
                     marks=() if case in chosen else pytest.mark.thorough)
        for case in cases
    ]  # fmt: skip
