"""The side effects of a function on a whole model and on its other arguments."""

import copy
from collections.abc import Callable
from typing import Any

from labsupport.check.ask.answer import Answer
from labsupport.check.ask.call import same


class LeftBehind(Answer, frozen=True):
    """An answer of a function on a model. hooks: the number left on it; training: its mode afterwards."""

    hooks: int
    training: bool


NOTHING = {"hooks": 0, "training": False}  # after an error


def left_behind(model) -> dict[str, Any]:
    """The fields of `LeftBehind`."""
    return {"hooks": hooks_on(model), "training": bool(model.training)}


def hooks_on(model) -> int:
    """The number of hooks on the modules of a model, those of the forward and of the backward pass."""
    return sum(
        len(module._forward_hooks)
        + len(module._forward_pre_hooks)
        + len(module._backward_hooks)
        + len(module._backward_pre_hooks)
        for module in model.modules()
    )


def watched(**arguments: Any) -> Callable[[], list[str]]:
    """A function that names those of these arguments that have changed since; lists, numbers and tensors."""
    before = copy.deepcopy(arguments)
    return lambda: [name for name, value in arguments.items() if not same(before[name], value)]
