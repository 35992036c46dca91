"""One rule for devices: cases of single functions are on the CPU; what belongs to the course model is on its.

On a GPU the function is called with its windows beside the model, and tensors that it makes without a
device are made there too: what was written on a laptop is right. A function that moves the windows itself
and keeps others on the CPU is called again, as a notebook calls it: with windows on the CPU.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from labsupport.check.ask.answer import Answer, Failure

DRAWS = (torch.rand, torch.randn, torch.randint, torch.randperm)
together: ContextVar[bool] = ContextVar("together", default=True)  # windows and new tensors beside the model


def beside(model: nn.Module, windows: torch.Tensor) -> torch.Tensor:
    """The token windows on the model's device."""
    return windows.to(_place(model)) if together.get() else windows


@contextlib.contextmanager
def at_home(model: nn.Module) -> Iterator[None]:
    """A context in which new tensors are made on the model's device; nothing happens for one on the CPU."""
    if not together.get() or _place(model).type == "cpu":
        yield
        return
    with _place(model), _DrawnThere():
        yield


def either_way(ask: Callable[[Callable, dict], Answer]) -> Callable[[Callable, dict], Answer]:
    """The ask, repeated with windows on the CPU if the function mixed devices on a card."""

    @functools.wraps(ask)
    def asked(function: Callable, inputs: dict) -> Answer:
        answer = ask(function, inputs)
        if "course" not in inputs.get("model", {}) or not mixed(answer.error):
            return answer
        mark = together.set(False)
        try:
            again = ask(function, inputs)
        finally:
            together.reset(mark)
        return again if again.error is None else answer

    return asked


def mixed(error: Failure | None) -> bool:
    """Whether an error is torch's on tensors of two devices."""
    return error is not None and "RuntimeError" in error.names and "same device" in error.text


def _place(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


class _DrawnThere(TorchFunctionMode):
    """Numbers drawn with a generator are made on the generator's device, as without a default device."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        generator = kwargs.get("generator")
        if func in DRAWS and generator is not None:
            kwargs = {"device": generator.device, **kwargs}
        return func(*args, **kwargs)
