"""Implementations of exercises: for later labs, and for who is stuck.

FROM in each file is the first lab that is given the file, ANSWERS the exercises that it implements; while
their lab is graded, it is withheld. exercises/ holds one file for every exercise: `given.NAME` is the
course's own function NAME. An exercise that takes it earns 0 points, and everything after it runs.
"""

from collections.abc import Callable
from importlib import import_module

from labsupport.errors import LabError


class NotGiven(LabError, AttributeError):
    """There is no such function here; the text says why."""


def __getattr__(name: str) -> Callable:
    """The course's own function for the exercise `name`, marked by its attribute `given`."""
    if name.startswith("_"):
        raise AttributeError(name)
    place = f"{__name__}.exercises.{name}"
    try:
        function = getattr(import_module(place), name)
    except ModuleNotFoundError as problem:
        if problem.name not in (place, f"{__name__}.exercises"):
            raise
        raise NotGiven(
            f"given.{name} is not here: under grading it is there only for an exercise that takes it "
            f"openly, in its own cell: {name} = given.{name}"
        ) from None
    function.given = name
    return function
