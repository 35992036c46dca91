"""Recognises, at home, a function that is the course's own or calls it."""

import inspect
from collections.abc import Callable, Iterator
from types import CodeType

from labsupport.check.judge import EXERCISES


def is_taken(name: str, function: Callable) -> bool:
    """Whether the function of exercise `name` is a given one, or calls one that is no earlier exercise."""
    lab = [each for each in EXERCISES if EXERCISES.lab(each) == EXERCISES.lab(name)]
    earlier = [each for each in lab if EXERCISES[each].number < EXERCISES[name].number]
    if getattr(function, "given", None) in lab:
        return True
    inner = inspect.unwrap(function) if callable(function) else function
    code, names = getattr(inner, "__code__", None), getattr(inner, "__globals__", {})
    used = set(_names(code)) if code else set()
    if "given" in used and used & {*lab}:
        return True
    marks = {getattr(names.get(each), "given", None) for each in used}
    return bool(marks & ({*lab} - {*earlier}))


def _names(code: CodeType) -> Iterator[str]:
    """The global names and attributes that a function uses, inner functions included."""
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names(each)
