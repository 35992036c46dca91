"""An exercise: a name, cases from a seed, and functions that judge the answers; verdicts without judging."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit.causes import Causes
from labsupport.check.judge.kit.verdict import Ending, Line, Mark, Place, Verdict


@dataclass(frozen=True)
class Case:
    """One call of the function: its arguments, and the error that it must raise, if any.

    inputs: plain data and tensors by parameter name, in the order of the signature; or a recipe (see
    recipes.py), from which both sides build the same model. A `costly` case comes last, and runs only
    if all cases before it pass. private: inputs for the judge alone, which are not sent. given: in a second
    judgement, what follows from the student's own earlier answers (carried.py), or an empty value where that
    is not compared.
    """

    title: str
    inputs: dict
    raises: str | None = None
    costly: bool = False
    given: Any = None
    private: dict = field(default_factory=dict)

    @property
    def known(self) -> dict:
        """The inputs that the judge knows."""
        return self.inputs | self.private


@dataclass(frozen=True)
class Part:
    """One condition; `holds` raises Wrong if it is violated.

    worth: the share of the points that it earns by itself, in an exercise whose parts are rungs.
    """

    title: str
    holds: Callable[[], None]
    worth: float = 0.0


@dataclass(frozen=True)
class Exercise:
    """An exercise of a lab: `parts` judges one answer, `cause` names the mistake that it shows, if any.

    answer: the type of its answers; a message of another type is wrong, and no part is checked.
    builds_on: the earlier exercises of its lab that it may call; given: what follows from the answers of
    the student's own ones, the third argument of `parts` in a second judgement (carried.py). place: of an
    answer that earns points, in the class's table, if the exercise has one.
    everywhere: a mistake is named only if each wrong answer shows it, where one may look like it by chance.
    """

    name: str
    number: str
    cases: Callable[[int], list[Case]]  # seed -> cases
    parts: Callable[..., list[Part]]  # inputs, answer of that type, given if any -> conditions
    cause: Callable[[dict, Any], Causes] = field(default=lambda _inputs, _answer: "")
    answer: type[Answer] = Answer
    builds_on: tuple[str, ...] = ()
    given: Callable[[dict, Any], Any] | None = None  # inputs, carried.Earlier -> what follows
    place: Callable[[dict, Any], Place] | None = None  # inputs, answer -> its place
    everywhere: bool = False


def unanswered(exercise: Exercise, why: str, status: Ending = Ending.WRONG) -> Verdict:
    """The verdict on an exercise without an answer to judge."""
    lines = [Line(Mark.FAILED, why)]
    return Verdict(
        exercise=exercise.name, number=exercise.number, status=status, lines=lines, share=0.0, mistake=why
    )


def faulted(exercise: Exercise, problem: Exception) -> Verdict:
    """The verdict of a judge that failed with this error: no points are counted, an instructor decides."""
    *_, frame = traceback.extract_tb(problem.__traceback__)
    place = f"{Path(frame.filename).name}, line {frame.lineno}"
    failed = f"{type(problem).__name__} in {place}"
    return Verdict(
        exercise=exercise.name, number=exercise.number, status=Ending.FAULT, lines=[], share=0.0,
        show={"error": " ".join(str(problem)[:200].split())},
        cause="the check itself failed, and your answer was not judged. This is a fault of the course, "
              f"not yours: please tell your instructor ({failed}).",
        mistake=f"the judge failed with {failed}",
    )  # fmt: skip


def taken_openly(exercise: Exercise) -> Verdict:
    """The verdict on an exercise that takes a function of the course."""
    why = (
        "This is the course's own function, or calls one. Write your own, and it is judged. If it needs that "
        "of an earlier exercise, write NAME = given.NAME in that exercise's cell, and call NAME here."
    )
    lines = [Line(Mark.OPEN, "given: 0 points")]
    return Verdict(
        exercise=exercise.name, number=exercise.number, status=Ending.GIVEN, lines=lines, share=0.0, cause=why
    )
