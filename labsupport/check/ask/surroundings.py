"""The surroundings of a check: torch as it was imported, whatever a notebook has changed since.

A notebook may change the default dtype or device, switch gradients off or replace functions of torch. A
check runs without these changes, so that both sides build the same inputs and a function that is right
at home is right under grading; afterwards they are in force again.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional

SPACES = (torch, torch.linalg, nn, functional, torch.Tensor, nn.Module, nn.Linear)
SWITCHES: tuple[tuple[Callable, Callable, Any], ...] = (  # to read, to set, the default
    (torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode, "default"),
)
ABSENT = object()
ONEDNN: Any = torch.backends.mkldnn  # its type hints lack `matmul`


@contextmanager
def usual() -> Iterator[None]:
    """A context, or a decorator, in which the process has torch's defaults and a fixed random seed."""
    with ExitStack() as stack:
        for space, name, value in _patched():
            stack.callback(_put, space, name, vars(space).get(name, ABSENT))
            _put(space, name, value)
        stack.enter_context(warnings.catch_warnings())
        calm: Any = [line for line in warnings.filters if line[0] != "error"]
        warnings.filters[:] = calm  # pyright: ignore[reportIndexIssue]  a list, though declared otherwise
        for read, switch, default in SWITCHES:
            stack.callback(switch, read())
            switch(default)
        stack.callback(_put_precision, _precision())
        full_precision()
        _on_cpu(stack)
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            stack.callback(torch.set_autocast_enabled, kind, torch.is_autocast_enabled(kind))
            torch.set_autocast_enabled(kind, False)
        stack.enter_context(torch.random.fork_rng(devices=[]))
        torch.default_generator.manual_seed(0)
        yield


def full_precision() -> None:
    """Make matrix products of float32 exact to float32; TF32 and bfloat16 keep 10 and 7 bits of 23.

    Both sides of a check do so before every question.
    """
    torch.set_float32_matmul_precision("highest")


def _precision() -> tuple:
    """The precision by torch's older switch, None where the newer ones disagree with it, and by those."""
    own = (torch.backends.cuda.matmul.fp32_precision, ONEDNN.matmul.fp32_precision)
    try:
        return torch.get_float32_matmul_precision(), *own
    except RuntimeError:
        return None, *own


def _put_precision(before: tuple) -> None:
    torch.set_float32_matmul_precision(before[0] or "highest")
    if before[0] is None:
        torch.backends.cuda.matmul.fp32_precision, ONEDNN.matmul.fp32_precision = before[1:]


def _on_cpu(stack: ExitStack) -> None:
    """Make the CPU the default device: a global default is put aside, a `with torch.device` overruled."""
    before = torch.get_default_device()
    torch.set_default_device(None)
    if torch.get_default_device().type != "cpu":
        stack.enter_context(torch.device("cpu"))
    else:
        stack.callback(torch.set_default_device, None if before.type == "cpu" else before)


def _own(space) -> dict[str, Any]:
    """The attributes of a class, or the functions and classes of a module."""
    return {name: value for name, value in vars(space).items() if isinstance(space, type) or callable(value)}


IMPORTED = [(space, _own(space)) for space in SPACES]


def _patched() -> Iterator[tuple[Any, str, Any]]:
    """What was replaced since the import: class or module, name, original; ABSENT for an inherited one."""
    for space, own in IMPORTED:
        now = vars(space)
        yield from [(space, name, value) for name, value in own.items() if now.get(name) is not value]
        if isinstance(space, type):
            new = now.keys() - own.keys()
            yield from [(space, n, ABSENT) for n in new if any(n in vars(base) for base in space.__mro__[1:])]


def _put(space, name: str, value) -> None:
    if value is not ABSENT:
        setattr(space, name, value)
    elif name in vars(space):
        delattr(space, name)
