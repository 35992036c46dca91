"""The checks: `check.NAME(function)` asks the exercise NAME of that function and says what it found."""

import functools
import importlib
import pkgutil
from collections.abc import Callable

from labsupport.check.client import check as _check
from labsupport.check.exercise import Exercise

EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise
    for module in pkgutil.iter_modules(__path__)
    if module.name.startswith("lab")
    for exercise in importlib.import_module(f"{__name__}.{module.name}").EXERCISES
}


def __getattr__(name: str) -> Callable:
    if name not in EXERCISES:
        raise AttributeError(f"there is no exercise called {name}; known: {', '.join(EXERCISES)}")
    return functools.partial(_check, EXERCISES[name])


def __dir__() -> list[str]:
    return sorted(EXERCISES)
