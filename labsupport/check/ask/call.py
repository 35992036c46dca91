"""Calls a student's function on a case and reduces its return value to plain data."""

import builtins
import copy
import difflib
import linecache
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from labsupport.check.ask import wire
from labsupport.check.ask.answer import Answer, Attempt, Failure

LIBRARIES = (Path(__file__).parents[2], sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))
MANY = 20_000  # values of an answer; a message may hold COUNT_LIMIT of them


def call(function: Callable, inputs: dict) -> Answer:
    """Call the function with copies of the inputs in order, tensors on the CPU."""
    arguments = [copied(value) for value in inputs.values()]
    kept = copy.deepcopy(arguments)
    answer = attempt(lambda: function(*arguments))
    changed = [
        name for name, before, after in zip(inputs, kept, arguments, strict=True) if not same(before, after)
    ]
    return answered(answer, changed)


def attempt(action: Callable) -> Attempt:
    """The value of an action, its tensors not moved, or its error."""
    try:
        return Attempt(value=_bounded(wire.bare(action())), error=None)
    except KeyboardInterrupt:
        raise
    except BaseException as problem:
        return Attempt(value=None, error=failure(problem))


def _bounded(value: Any) -> Any:
    """Plain data as it is; what has too many parts for a message as `Opaque`."""
    count, rest = 0, [value]
    while rest:
        item = rest.pop()
        count += 1
        if count > MANY:
            return wire.Opaque(f"a {type(value).__name__} of more than {MANY:,} values")
        rest.extend(
            item.values() if isinstance(item, dict) else item if isinstance(item, list | tuple) else ()
        )
    return value


def answered(found: Attempt, changed: list[str] | None = None) -> Answer:
    """The answer to a case, from an attempt."""
    return Answer(**fields(found, changed))


def fields(found: Attempt, changed: list[str] | None = None) -> dict:
    """The fields that all answers share, for an `ask` that adds more."""
    device = found.value.device.type if isinstance(found.value, torch.Tensor) else None
    return {"value": found.value, "error": found.error, "changed": changed or [], "device": device}


def failure(problem: BaseException) -> Failure:
    """An exception as a message, with the last line of the student's own code that it passed through."""
    frames = list(traceback.walk_tb(problem.__traceback__))
    names = [kind.__name__[:1000] for kind in type(problem).__mro__][:50]
    lines = _text(problem).strip().splitlines()
    text = lines[0][:200] if lines else ""
    line, source, where = 0, "", ""
    own = [(frame, number) for frame, number in frames if _is_own(frame.f_code.co_filename)]
    if own:
        frame, line = own[-1]
        source = linecache.getline(frame.f_code.co_filename, line).strip()[:100]
        text += _nearest(problem, frame)
        where = frame.f_code.co_name[:1000].removeprefix("<module>")
    return Failure(names=names, text=text, where=where, line=line, source=source)


def _is_own(file: str) -> bool:
    """Whether a file of code is neither the course's nor a library's."""
    return not any(Path(file).is_relative_to(place) for place in LIBRARIES) and not file.startswith("<frozen")


def _nearest(problem: BaseException, frame: FrameType) -> str:
    """A hint at the known name that is most like the unknown one of a NameError or AttributeError."""
    if not isinstance(problem, NameError | AttributeError) or not isinstance(problem.name, str):
        return ""
    if isinstance(problem, NameError):
        known = [*frame.f_locals, *frame.f_globals, *vars(builtins)]
    else:
        known = dir(problem.obj)
    near = difflib.get_close_matches(problem.name, [name for name in known if isinstance(name, str)], 1, 0.75)
    return f" (did you mean {near[0]}?)" if near and near[0] != problem.name else ""


def _text(problem: BaseException) -> str:
    try:
        return str(problem)
    except Exception:  # str() of a student's exception may fail
        return ""


def copied(value):
    """The value with its tensors copied."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, list | tuple):
        return type(value)(copied(item) for item in value)
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
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
