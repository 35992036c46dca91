"""The judge's reference implementation of input norms, for labs 03 and 04.

It is independent of given/input_norms.py: one hook on all modules instead of one on each, float64 instead
of float32, one window at a time. So the judge of lab 03 runs where that file is not given.
"""

import functools
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from labsupport.check.ask import recipes
from labsupport.check.judge.kit import memo
from labsupport.linears import pruned_linears

Norms = dict[str, torch.Tensor]  # by layer: [in]


@contextmanager
def listening(model: nn.Module, hear: Callable[[str, torch.Tensor], None]) -> Iterator[None]:
    """A context in which every call of a pruned Linear calls hear(its name, its input x [T, in])."""
    names: dict[nn.Module, str] = {linear: name for name, linear in pruned_linears(model).items()}

    def before(module: nn.Module, given: tuple) -> None:
        if module in names:
            hear(names[module], given[0].flatten(0, -2))

    handle = register_module_forward_pre_hook(before)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def run(model: nn.Module, windows: Iterable[torch.Tensor]) -> None:
    """Run the decoder on every window of tokens [L], one at a time, without lm_head."""
    decoder: Any = model.model  # attributes of nn.Module are untyped
    device: Any = model.device
    model.eval()
    for window in windows:
        decoder(window[None].to(device), use_cache=False)


def measured(model: nn.Module, windows: Iterable[torch.Tensor]) -> Norms:
    """Float64 [in] by layer: L2 norms of every pruned Linear's input over windows of tokens [L]."""
    linears = pruned_linears(model)
    squares = {
        name: torch.zeros(linear.in_features, dtype=torch.float64, device=linear.weight.device)  # [in]
        for name, linear in linears.items()
    }

    def add(name: str, x: torch.Tensor) -> None:
        squares[name] += x.double().square().sum(dim=0)

    with listening(model, add):
        run(model, windows)
    return {name: total.sqrt().cpu() for name, total in squares.items()}


def known(model: dict, batches: list[dict], half: bool = False) -> Norms:
    """The norms of a model on texts, both given by recipes; half: the model in float16.

    They are cached in this process, because a whole class needs the same norms.
    """
    recipe = json.dumps({"model": model, "batches": batches, "half": half}, sort_keys=True)
    return _known(recipe, str(memo.circumstances()))


@functools.cache
def _known(recipe: str, _circumstances: str) -> Norms:
    case = json.loads(recipe)
    model = recipes.model(case["model"])
    windows = [window for batch in case["batches"] for window in recipes.windows(batch)]  # each [L]
    return measured(model.half() if case["half"] else model, windows)


def agree(norm: torch.Tensor, right: torch.Tensor, relative: float) -> torch.Tensor:
    """Bool [in]: where two norms [in] agree; norms far below the median may differ by rounding.

    Raises ValueError for different shapes, which would broadcast.
    """
    if norm.shape != right.shape:
        raise ValueError(f"norms of shapes {tuple(norm.shape)} and {tuple(right.shape)}")
    slack = relative * 1e-2 * float(right.median())
    return torch.isclose(norm.double(), right.double(), rtol=relative, atol=slack)


def near(norm: torch.Tensor, right: torch.Tensor, relative: float) -> bool:
    """Whether two norms [in] agree in every channel."""
    return bool(agree(norm, right, relative).all())
