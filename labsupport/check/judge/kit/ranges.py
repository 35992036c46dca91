"""Cases at and beyond the ends of the sparsity range, for all exercises on masks."""

from labsupport.check.judge.kit.exercise import Case


def range_cases(inputs: dict) -> list[Case]:
    """Cases at and beyond the ends of the sparsity range, with these other inputs."""
    return [
        Case("sparsity 0 keeps every weight", {**inputs, "sparsity": 0.0}),
        Case("sparsity 1 drops every weight", {**inputs, "sparsity": 1.0}),
        Case("a negative sparsity raises ValueError", {**inputs, "sparsity": -0.1}, raises="ValueError"),
        Case("a sparsity above 1 raises ValueError", {**inputs, "sparsity": 1.5}, raises="ValueError"),
    ]
