"""How a student's function is asked: called on a case, its answer reduced to plain data.

An answer is a dict: `value` (plain data), `error` (None, or names of the exception's classes, text and
the function it came from), `changed` (arguments it changed), and what a way of asking adds.
"""

import copy
import traceback
from collections.abc import Callable

import torch

from labsupport import settings
from labsupport.check import wire


def call(function: Callable, inputs: dict) -> dict:
    """Call the function with the inputs in their order, tensors on this machine's device."""
    arguments = [on_device(value) for value in inputs.values()]
    kept = copy.deepcopy(arguments)
    answer = attempt(lambda: function(*arguments))
    answer["changed"] = [
        name for name, before, after in zip(inputs, kept, arguments, strict=True) if not same(before, after)
    ]
    return answer


def attempt(action: Callable) -> dict:
    """The value of an action, or the error it ended with."""
    try:
        value = action()
    except KeyboardInterrupt:
        raise
    except BaseException as problem:
        return {"value": None, "error": _error(problem), "changed": [], "device": None}
    device = str(value.device.type) if isinstance(value, torch.Tensor) else None
    return {"value": wire.bare(value), "error": None, "changed": [], "device": device}


def _error(problem: BaseException) -> dict:
    frames = traceback.extract_tb(problem.__traceback__)
    where = frames[-1].name if frames and type(problem) is NotImplementedError else ""
    names = [kind.__name__ for kind in type(problem).__mro__]
    lines = str(problem).strip().splitlines()
    return {"names": names, "text": lines[0][:200] if lines else "", "where": where.removeprefix("<module>")}


def on_device(value):
    """The value with its tensors copied to this machine's device."""
    if isinstance(value, torch.Tensor):
        return value.clone().to(settings.device())
    if isinstance(value, list | tuple):
        return type(value)(on_device(item) for item in value)
    if isinstance(value, dict):
        return {key: on_device(item) for key, item in value.items()}
    return value


def same(one, other) -> bool:
    """Whether two plain values are equal to the last bit."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other
