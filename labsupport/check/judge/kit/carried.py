"""Errors carried forward: a second judgement, given the student's own earlier answers.

An exercise that is wrong and builds on a wrong earlier one is judged again: its `given` computes from
the answers of the student's earlier functions what its own answer must be, and its parts compare
with that. What follows from wrong answers counts as right, under these conditions:

- Every earlier function is asked the cases of its own exercise again. It is written, at least one is
  wrong, and each comes out as it did under its own check.
- A wrong one returns different values for different inputs.
- An answer has the type and shape that its exercise asks for. A mask keeps some weights and drops some.

The better of the two judgements stands, so that nobody loses by the second one. The answers to a costly
case are too large to be sent: there the second judgement compares nothing with them and checks the rest.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from msgspec import structs

from labsupport.check.ask.answer import Malformed, decode
from labsupport.check.ask.call import same
from labsupport.check.judge.kit.compare import Wrong, has_shape, is_mask, is_tensor
from labsupport.check.judge.kit.exercise import Case, Exercise
from labsupport.check.judge.kit.judging import judge
from labsupport.check.judge.kit.verdict import Ending, Verdict

DRAWS = 8  # seeds whose first cases show whether an answer depends on the input

Ask = Callable[[str, Case], object]  # exercise and case -> the undecoded answer of the student's function
Form = Callable[[Any], None]  # raises Wrong for a value of a wrong type or shape


class Failed(Exception):
    """An earlier function raised an error; the text is the name of its class."""


class Earlier:
    """The student's earlier functions by the names of their exercises."""

    def __init__(self, exercises: Mapping[str, Exercise], ask: Ask):
        self.exercises, self.ask = exercises, ask

    def __call__(self, name: str, form: Form, inputs: dict) -> Any:
        """The answer of a function to inputs in the order of its signature.

        Raises Failed if the function raised an error, and Wrong for a value of another form.
        """
        try:
            answer = decode(self.ask(name, Case("", inputs)), self.exercises[name].answer)
        except Malformed as problem:
            raise Wrong(str(problem)) from None
        if answer.error:
            raise Failed(answer.error.names[0])
        form(answer.value)
        return answer.value


def judge_again(
    exercises: Mapping[str, Exercise],
    verdict: Verdict,
    ask: Ask,
    seed: Callable[[str], int],
    before: Mapping[str, Verdict],
) -> Verdict:
    """The verdict, or a better one that takes the student's wrong earlier answers as given.

    seed: of an exercise's cases; before: the verdicts of the earlier exercises' own checks, if they ran.
    """
    exercise = exercises[verdict.exercise]
    if verdict.status != Ending.WRONG or exercise.given is None:
        return verdict
    earlier = Earlier(exercises, ask)
    try:
        wrong = [
            name for name in exercise.builds_on if _is_wrong(earlier, name, seed(name), before.get(name))
        ]
        first, *others = exercise.cases(seed(exercise.name))
        if not wrong:
            return verdict
        cases = [replace(first, given=exercise.given(first.inputs, earlier))]
    except (Wrong, Failed):
        return verdict
    cases += [_with_given(case, exercise, earlier) for case in others]
    second = judge(exercise, cases, functools.partial(ask, exercise.name))
    return structs.replace(second, given=wrong) if second.share > verdict.share else verdict


def earlier_named(
    exercises: Mapping[str, Exercise], verdict: Verdict, ask: Ask, defined: list[str], seed: int
) -> Verdict:
    """The verdict; a wrong one says which of the student's earlier functions fail their own checks.

    defined: the earlier functions that the student's function can call.
    """
    if verdict.status != Ending.WRONG or verdict.given:
        return verdict
    wrong = []
    for name in defined:
        cases = exercises[name].cases(seed)
        if judge(exercises[name], cases, functools.partial(ask, name)).status == Ending.WRONG:
            wrong.append(f"Your {name} does not pass its own check: mend that first.")
    return structs.replace(verdict, cause="\n".join(filter(None, [verdict.cause, *wrong])))


def _is_wrong(earlier: Earlier, name: str, seed: int, before: Verdict | None) -> bool:
    """Whether an earlier exercise is wrong. Raises Wrong or Failed if nothing can build on it."""
    exercise = earlier.exercises[name]
    now = judge(exercise, exercise.cases(seed), functools.partial(earlier.ask, name))
    if now.status == Ending.UNWRITTEN:
        raise Wrong(f"{name} is not written yet")
    if before and (before.status, before.passed) != (now.status, now.passed):
        raise Wrong(f"{name} answers otherwise than under its own check")
    if now.status == Ending.RIGHT:
        return False
    cases = [exercise.cases(seed + draw)[0] for draw in range(1, DRAWS + 1)]
    values = [earlier(name, lambda _value: None, case.inputs) for case in cases]
    if all(same(values[0], value) for value in values):
        raise Wrong(f"{name} returns the same whatever its input is")
    return True


def _with_given(case: Case, exercise: Exercise, earlier: Earlier) -> Case:
    """The case with what follows from the earlier answers; unchanged where these have a wrong form."""
    if case.costly or exercise.given is None:
        return replace(case, given={})
    try:
        return replace(case, raises=None, given=exercise.given(case.inputs, earlier))
    except Failed as failed:
        return replace(case, raises=str(failed), given={})
    except Wrong:
        return case


def a_mask(shape: torch.Size, sparsity: float) -> Form:
    """The form of a mask: bool of this shape; between the ends of the range it has both values."""

    def form(mask) -> None:
        is_mask(mask)
        has_shape(mask, shape)
        if 0 < sparsity < 1 and mask.float().std() == 0:
            raise Wrong("the mask has no choice in it")

    return form


def scores(*shape: int) -> Form:
    """The form of scores: floating-point numbers of this shape that are finite and not all equal."""

    def form(score) -> None:
        is_tensor(score)
        has_shape(score, shape)
        if not score.is_floating_point() or not bool(score.isfinite().all()) or score.min() == score.max():
            raise Wrong("these are no scores")

    return form
