"""A cause that one case shows and another one disproves is no cause."""

from dataclasses import dataclass
from typing import Any

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit.causes import Cause, all_of
from labsupport.check.judge.kit.exercise import Exercise


@dataclass(frozen=True)
class Asked:
    """A case that was answered with a wrong value: the inputs that the judge knows, and the answer."""

    inputs: dict
    answer: Answer


def agreed(exercise: Exercise, cause: Cause, wrong: list[Asked]) -> bool:
    """Whether every wrong answer shows this mistake."""
    return all(cause.name in _names(exercise, asked) for asked in wrong)


def _names(exercise: Exercise, asked: Asked) -> list[Any]:
    try:
        return [each.name for each in all_of(exercise.cause(asked.inputs, asked.answer))]
    except Exception:  # a strange answer
        return []
