"""Under grading nothing that the sandbox holds of this project answers an exercise of its lab.

The wide search, outside a sandbox: every function, class and method of labsupport that the sandbox of a
lab holds is tried as an answer to the lab's exercises. tests/sandbox/test_border.py looks inside.
"""

import importlib
import inspect
import pkgutil
import warnings
from pathlib import Path

import pytest

import labsupport
from grader import course
from grader.author import reference
from grader.author.given import withheld
from labsupport.check.ask.client import answer_here
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.judging import judge
from tests.sample import few

APART = ("labsupport.files", "labsupport.fetch", "labsupport.check.")  # files, downloads, messages


def callables(lab: int) -> dict[str, object]:
    """What can be called of labsupport in the sandbox of a lab, by its full name."""
    hidden = {f"labsupport.given.{Path(name).stem}" for name in withheld(lab, grading=True)}
    found = {}
    for module in pkgutil.walk_packages(labsupport.__path__, "labsupport."):
        closed = module.name in hidden or module.name.startswith(
            ("labsupport.check.judge", "labsupport.given.exercises.")
        )
        if closed or module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if getattr(value, "__module__", None) != module.name:
                continue
            if inspect.isclass(value):
                inner = inspect.getmembers(value, callable)
                found |= {f"{module.name}.{name}.{key}": each for key, each in inner if key in vars(value)}
            if callable(value):
                found[f"{module.name}.{name}"] = value
    return found


def takes(function, count: int) -> bool:
    """Whether a function can be called with this many arguments by position."""
    try:
        inspect.signature(function).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True


@pytest.mark.lengthy
@pytest.mark.parametrize("lab", few(range(13), of=(2, 5)))
def test_nothing_of_ours_answers(lab, tiny_course, monkeypatch, tmp_path):
    """Every callable that takes the arguments of an exercise earns nothing there; the right answer does."""
    monkeypatch.chdir(tmp_path)
    right = reference.functions(course.lab(str(lab)))
    there = callables(lab)
    assert len(there) > 100
    for name, own in right.items():
        exercise, count = EXERCISES[name], len(inspect.signature(own).parameters)
        cases = [case for case in exercise.cases(1) if not case.costly][:1]
        for place, function in {**there, "right": own}.items():
            if not takes(function, count) and not takes(function, count - 1):
                continue
            if place.startswith(APART):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = judge(exercise, cases, lambda case: answer_here(name, function, case.inputs))  # noqa: B023
            assert (found.share > 0) == (place == "right"), (name, place)
