"""Whole models solved by prune_sparsegpt: what they send their layers, and whether each layer fits it."""

import torch
from torch import nn

from labsupport.check.ask import recipes
from labsupport.check.ask.own.prune_sparsegpt import Solved
from labsupport.check.judge.kit import norms
from labsupport.check.judge.kit.carried import Earlier, Form, a_mask
from labsupport.check.judge.kit.compare import Wrong, has_shape, is_tensor
from labsupport.check.judge.kit.open_columns import chosen, damped, inverses, pools, replayed
from labsupport.linears import pruned_linears

Hessians = dict[str, torch.Tensor]  # by layer: float64 [in, in]
Carried = dict[str, tuple[torch.Tensor, torch.Tensor]]  # by layer: weight and mask, [out, in] both
BLOCK, DAMP = 128, 0.01  # the defaults of sparsegpt_layer
ROUNDING = 5e-3  # relative: activations and solves in float32


def answered_model(inputs: dict, weights: dict[str, torch.Tensor], blocks: int | None = None) -> nn.Module:
    """The model of a case with the weights of an answer, in its first blocks or in all of them."""
    model = recipes.model(inputs["model"])
    with torch.no_grad():
        for name, linear in pruned_linears(model).items():
            if blocks is None or int(name.split(".")[2]) < blocks:
                linear.weight.copy_(weights[f"{name}.weight"])
    return model


def flowing(model: nn.Module, inputs: dict, windows: slice = slice(None)) -> Hessians:
    """X^T X of every pruned Linear's input over (some of) the windows of a case."""
    found: Hessians = {}

    def add(name: str, x: torch.Tensor) -> None:  # x: [T, in]
        product = (x.double().T @ x.double()).cpu()
        found[name] = found[name] + product if name in found else product

    with norms.listening(model, add):
        norms.run(model, recipes.windows(inputs["batches"])[windows])
    return found


def near(new: torch.Tensor, right: torch.Tensor) -> bool:
    """Whether two weights [out, in] are equal but for rounding."""
    slack = ROUNDING * float(right.abs().max())
    return torch.allclose(new.double(), right.double(), rtol=ROUNDING, atol=slack)


def misfits(inputs: dict, answer: Solved, hessians: Hessians) -> list[str]:
    """The layers whose weights and masks do not follow from these Hessians."""
    pattern = inputs.get("pattern")
    group, each_row = pattern[1] if pattern else BLOCK, pattern is not None
    dense = pruned_linears(recipes.model(inputs["model"]))

    def right(name: str) -> bool:
        mask, new = answer.value[name], answer.weights[f"{name}.weight"]  # [out, in]
        rows = inverses(damped(hessians[name], DAMP))
        solved, scores = replayed(dense[name].weight.cpu(), mask, rows, group)
        pairs = zip(pools(scores, group, each_row), pools(mask, group, each_row), strict=True)
        return near(new, solved) and all(chosen(score, pool, ROUNDING) for score, pool in pairs)

    return [name for name in dense if not right(name)]


def fits(inputs: dict, answer: Solved, seen: Hessians) -> list[str]:
    """The layers that fit neither sequence: layer after layer, or block after block.

    seen: the Hessians of the answer's own model, which are those of each layer where every layer before it
    was pruned first. In the published code all layers of a block are measured while the block is dense.
    """
    wrong = misfits(inputs, answer, seen)
    if not wrong:
        return []
    by_block: Hessians = {}
    for block in sorted({int(name.split(".")[2]) for name in seen}):
        model = answered_model(inputs, answer.weights, block)
        here = flowing(model, inputs)
        by_block |= {name: each for name, each in here.items() if int(name.split(".")[2]) == block}
    return misfits(inputs, answer, by_block) and wrong


@torch.no_grad()
def carried(inputs: dict, earlier: Earlier) -> Carried:
    """What the student's hessian and sparsegpt_layer make of every layer, one after another."""
    model, windows = recipes.model(inputs["model"]), recipes.windows(inputs["batches"])  # windows: [n, L]
    linears, found = pruned_linears(model), Carried()
    options = {"sparsity": inputs["sparsity"], "block": BLOCK, "damp": DAMP}
    options |= {name: inputs[name] for name in ("pattern",) if name in inputs}

    def solve(name: str, x: torch.Tensor) -> None:  # x: [T, in]
        weight = linears[name].weight
        product = earlier("hessian", numbers(x.shape[1], x.shape[1]), {"x": x.cpu()})  # [in, in]
        asked = {"weight": weight.cpu(), "hessian": product, **options}
        found[name] = earlier("sparsegpt_layer", solution(weight.shape, inputs["sparsity"]), asked)
        weight.copy_(found[name][0])

    with norms.listening(model, solve):
        model.model(windows.to(model.device), use_cache=False)
    return found


def numbers(*shape: int) -> Form:
    """The form of a tensor of finite floating-point numbers of this shape."""

    def form(value) -> None:
        is_tensor(value)
        has_shape(value, shape)
        if not value.is_floating_point() or not bool(value.isfinite().all()):
            raise Wrong("these are no finite numbers")

    return form


def solution(shape: torch.Size, sparsity: float) -> Form:
    """The form of a pair: a weight and its mask of this shape."""

    def form(value) -> None:
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise Wrong("this is no pair")
        numbers(*shape)(value[0])
        a_mask(shape, sparsity)(value[1])

    return form
