"""The ends of the sparsity range, as cases of every exercise that makes a mask."""

from labsupport.check.judge.kit.exercise import Case


def range_cases(inputs: dict) -> list[Case]:
    """The ends of the sparsity range, and outside it, for the other inputs given."""
    return [
        Case("sparsity 0 keeps every weight", {**inputs, "sparsity": 0.0}),
        Case("sparsity 1 drops every weight", {**inputs, "sparsity": 1.0}),
        Case("a negative sparsity raises ValueError", {**inputs, "sparsity": -0.1}, raises="ValueError"),
        Case("a sparsity above 1 raises ValueError", {**inputs, "sparsity": 1.5}, raises="ValueError"),
    ]
