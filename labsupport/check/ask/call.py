"""Calls a student's function on a case and reduces its return value to plain data."""

import copy
import traceback
from collections.abc import Callable

import torch

from labsupport import settings
from labsupport.check.ask import wire
from labsupport.check.ask.answer import Answer, Attempt, Failure


def call(function: Callable, inputs: dict) -> Answer:
    """Call the function with the inputs in order, tensors on this machine's device."""
    arguments = [on_device(value) for value in inputs.values()]
    kept = copy.deepcopy(arguments)
    answer = attempt(lambda: function(*arguments))
    changed = [
        name for name, before, after in zip(inputs, kept, arguments, strict=True) if not same(before, after)
    ]
    return answered(answer, changed)


def attempt(action: Callable) -> Attempt:
    """The value of an action, its tensors not moved, or its error."""
    try:
        return Attempt(value=wire.bare(action()), error=None)
    except KeyboardInterrupt:
        raise
    except BaseException as problem:
        return Attempt(value=None, error=failure(problem))


def answered(found: Attempt, changed: list[str] | None = None) -> Answer:
    """The answer to a case, from an attempt."""
    return Answer(**fields(found, changed))


def fields(found: Attempt, changed: list[str] | None = None) -> dict:
    """The fields that all answers share, for an `ask` that adds more."""
    device = found.value.device.type if isinstance(found.value, torch.Tensor) else None
    return {"value": found.value, "error": found.error, "changed": changed or [], "device": device}


def failure(problem: BaseException) -> Failure:
    """An exception as a message."""
    frames = traceback.extract_tb(problem.__traceback__)
    where = frames[-1].name if frames and type(problem) is NotImplementedError else ""
    names = [kind.__name__[:1000] for kind in type(problem).__mro__][:50]
    lines = _text(problem).strip().splitlines()
    return Failure(names=names, text=lines[0][:200] if lines else "", where=where.removeprefix("<module>"))


def _text(problem: BaseException) -> str:
    try:
        return str(problem)
    except Exception:  # str() of a student's exception may fail
        return ""


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
    """Whether two plain values are bit-identical."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other
