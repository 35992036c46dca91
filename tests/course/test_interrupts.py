"""An interrupt in an experiment of lab 04 leaves the model dense."""

import ast

import pytest
import torch

from grader import course
from grader.author import source
from grader.author.reference import functions
from labsupport import linears, models


def experiment(lab: str, name: str, namespace: dict):
    """A function that an experiment of a lab defines, in a namespace."""
    for cell in source.read(course.lab(lab)):
        if cell.kind == "experiment":
            for node in ast.parse(cell.text).body:
                if isinstance(node, ast.FunctionDef) and node.name == name:
                    exec(ast.unparse(node), namespace)
                    return namespace[name]
    raise AssertionError(f"lab {lab} has no experiment {name}")


@pytest.mark.parametrize("interrupted", [False, True])
def test_sequential_calibration_leaves_the_model_as_it_was(interrupted):
    """It prunes by hooks: every weight comes back, and no hook prunes the next forward pass."""
    model, calls = models.load("tiny"), []
    dense = linears.weights(model)
    before = {name: weight.clone() for name, weight in dense.items()}
    right = functions(course.lab("04"))

    def row_mask(score, sparsity):
        calls.append(score)
        if interrupted and len(calls) == 5:
            raise KeyboardInterrupt
        return right["row_mask"](score, sparsity)

    namespace = {"torch": torch, "linears": linears, "model": model, "dense": dense, "row_mask": row_mask,
                 "wanda_score": right["wanda_score"]}  # fmt: skip
    experiment("04", "by_magnitude", namespace)
    passing = experiment("04", "prune_in_passing", namespace)
    if interrupted:
        with pytest.raises(KeyboardInterrupt):
            passing(torch.arange(32)[None], 0.5)
    else:
        masks = passing(torch.arange(32)[None], 0.5)
        assert masks.keys() == dense.keys() and all(
            0.3 < mask.float().mean() < 0.7 for mask in masks.values()
        )
    assert all(
        torch.equal(linear.weight, before[name]) for name, linear in linears.pruned_linears(model).items()
    )
    count = len(calls)
    model(torch.arange(32)[None])
    assert len(calls) == count
    assert all(
        torch.equal(linear.weight, before[name]) for name, linear in linears.pruned_linears(model).items()
    )
