"""An interrupt in an experiment of lab 04 leaves the model dense, and one of a command is called so."""

import ast
from types import SimpleNamespace

import pytest
import torch

from grader import __main__, course
from grader.author import source
from grader.author.reference import functions
from labsupport import console, linears, models
from labsupport.errors import LabError


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


@pytest.mark.parametrize("error", [ModuleNotFoundError, LabError])
def test_an_interrupt_while_the_grader_loads_modules(error, monkeypatch, capsys):
    """transformers makes of it a module that is missing; an instructor would look for one."""

    def run(_chosen):
        try:
            raise KeyboardInterrupt
        except BaseException as problem:
            raise error("Could not import module 'LlamaConfig'.") from problem

    chosen = SimpleNamespace(parse_args=lambda _: SimpleNamespace(run=run))
    monkeypatch.setattr(__main__, "parser", lambda: chosen)
    assert __main__.main([]) == 130
    assert capsys.readouterr().err == "Interrupted; what was finished is kept.\n"


def test_errors_that_are_each_others_cause():
    """A database that goes away leaves such ones: the command says so, and ends."""
    one, other = LabError("The gradebook does not answer."), OSError()
    one.__cause__, other.__cause__ = other, one
    assert not console.was_interrupted(one)
