"""An exercise: a name, cases from a seed, and functions that judge the answers.

The first case is the main case and is shown part by part; every later case (ties, the ends of the
range, a model) counts as one part. The points are the share of parts that pass if the first case is
right, and 0 otherwise, because a wrong function passes some of the later cases by chance.
A side effect that only the student's process saw is noted: no point depends on it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from labsupport.check.ask.answer import Answer, Failure, Malformed, decode
from labsupport.check.judge.kit.causes import Cause, Causes, first
from labsupport.check.judge.kit.compare import Noted, Wrong, type_name
from labsupport.check.judge.kit.verdict import Ending, Line, Mark, Verdict, data


@dataclass(frozen=True)
class Case:
    """One call of the function: its arguments, and the error that it must raise, if any.

    inputs: plain data and tensors by parameter name, in the order of the signature; or a recipe (see
    recipes.py), from which both sides build the same model. A `costly` case comes last, and runs only
    if all cases before it pass.
    """

    title: str
    inputs: dict
    raises: str | None = None
    costly: bool = False


@dataclass(frozen=True)
class Part:
    """One condition; `holds` raises Wrong if it is violated."""

    title: str
    holds: Callable[[], None]


@dataclass(frozen=True)
class Exercise:
    """An exercise of a lab: `parts` judges one answer, `cause` names the mistake that it shows, if any.

    answer: the type of its answers; a message of another type is wrong, and no part is checked.
    """

    name: str
    number: str
    cases: Callable[[int], list[Case]]  # seed -> cases
    parts: Callable[[dict, Any], list[Part]]  # inputs, answer of that type -> conditions
    cause: Callable[[dict, Any], Causes] = field(default=lambda _inputs, _answer: "")
    answer: type[Answer] = Answer


def judge(exercise: Exercise, cases: Iterable[Case], ask: Callable[[Case], object]) -> Verdict:
    """Run every case and judge its answer. `ask` returns an answer as an undecoded message."""
    lines: list[Line] = []
    failure: tuple[Wrong, Cause] | None = None  # the first, a Noted only as long as there is no other
    only_noted = True
    unwritten, cases_asked, first_right = 0, 0, False
    answer: Answer | None = None
    for index, case in enumerate(cases):
        if case.costly and not only_noted:
            lines.append(Line(Mark.OPEN, case.title))
            continue
        try:
            answer = decode(ask(case), exercise.answer)
        except Malformed as problem:
            return unanswered(exercise, str(problem))
        cases_asked += 1
        unwritten += answer.error is not None and answer.error.names[0] == "NotImplementedError"
        parts = _parts(exercise, case, answer)
        if index:
            parts = [_as_one(case.title, parts)]
        wrong = noted = None
        for part in parts:
            if wrong:
                lines.append(Line(Mark.OPEN, part.title))
                continue
            try:
                part.holds()
                lines.append(Line(Mark.PASSED, part.title))
            except Noted as found:
                noted = noted or found
                lines.append(Line(Mark.NOTED, part.title, found.reason))
                where = f"part {len(lines)}, {found.place}"
            except Wrong as found:
                wrong = found
                lines.append(Line(Mark.FAILED, part.title, found.reason))
                where = f"part {len(lines)}, {found.place}"
        if (wrong and only_noted) or (noted and failure is None):
            named = not answer.error and not case.raises
            cause = _cause(exercise, case.inputs, answer) if named else Cause("", "")
            failure = (wrong or noted, cause)
            mistake = cause.name or where
        only_noted = only_noted and wrong is None
        if index == 0:
            first_right = wrong is None
    about = {"exercise": exercise.name, "number": exercise.number, "lines": lines}
    if unwritten == cases_asked:
        return Verdict(**about, status=Ending.UNWRITTEN, share=0.0, cause=_unwritten_by(exercise, answer))
    if failure is None:
        return Verdict(**about, status=Ending.RIGHT, share=1.0)
    earned = sum(line.status in (Mark.PASSED, Mark.NOTED) for line in lines)
    share = earned / len(lines) if first_right else 0.0
    show = {label: data(value) for label, value in failure[0].show.items()}
    return Verdict(
        **about, status=Ending.WRONG, share=share, show=show, cause=failure[1].text, mistake=mistake
    )


def unanswered(exercise: Exercise, why: str, status: Ending = Ending.WRONG) -> Verdict:
    """The verdict on an exercise without an answer to judge."""
    lines = [Line(Mark.FAILED, why)]
    return Verdict(
        exercise=exercise.name, number=exercise.number, status=status, lines=lines, share=0.0, mistake=why
    )


def given(exercise: Exercise) -> Verdict:
    """The verdict on an exercise that takes the course's own function."""
    why = "This is the course's own function. Write your own, and the exercise earns its points."
    lines = [Line(Mark.OPEN, "given: 0 points")]
    return Verdict(
        exercise=exercise.name, number=exercise.number, status=Ending.GIVEN, lines=lines, share=0.0, cause=why
    )


def _cause(exercise: Exercise, inputs: dict, answer: Answer) -> Cause:
    """The likely mistake; an empty cause if the answer has a wrong type or shape for the search."""
    try:
        return first(exercise.cause(inputs, answer))
    except Exception:
        return Cause("", "")


def _parts(exercise: Exercise, case: Case, answer: Answer) -> list[Part]:
    expected, error = case.raises, answer.error
    if expected:
        return [Part(case.title, lambda: _raised(expected, answer))]
    parts = exercise.parts(case.inputs, answer)
    if error:  # no part of this case can be checked without an answer
        return [Part(parts[0].title, lambda: _answered(error)), *parts[1:]]
    return [*parts, Part("the arguments are as they were", lambda: _untouched(answer))]


def _as_one(title: str, parts: list[Part]) -> Part:
    def holds() -> None:
        noted = None
        for part in parts:
            try:
                part.holds()
            except Wrong as found:
                known = "" if part.title == title else part.title
                found.reason = ": ".join(text for text in (known, found.reason) if text)
                if not isinstance(found, Noted):
                    raise
                noted = noted or found
        if noted:
            raise noted

    return Part(title, holds)


def _answered(error: Failure) -> None:
    where = f" in {error.where}" if error.where else ""
    raise Wrong(f"your function raised {error.names[0]}{where}" + _text(error))


def _raised(expected: str, answer: Answer) -> None:
    error = answer.error
    if not error:
        raise Wrong(f"your function returned a {type_name(answer.value)} instead")
    if expected not in error.names:
        raise Wrong(f"your function raised {error.names[0]} instead" + _text(error))


def _text(error: Failure) -> str:
    return f": {error.text}" if error.text else ""


def _untouched(answer: Answer) -> None:
    if answer.changed:
        shown, more = answer.changed[:4], len(answer.changed) - 4
        rest = f" and {more} more" if more > 0 else ""
        raise Noted(f"your function changed {', '.join(shown)}{rest} in place")


def _unwritten_by(exercise: Exercise, answer: Answer | None) -> str:
    where = answer.error.where if answer and answer.error else ""
    if where and where != exercise.name:
        return f"It calls {where}, which still raises NotImplementedError."
    return ""
