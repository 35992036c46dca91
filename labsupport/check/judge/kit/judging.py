"""Judges the answers to an exercise's cases.

The first case is the main case and is shown part by part; every later case (ties, the ends of the
range, a model) counts as one part. The points are the share of parts that pass if the first case is
right, and 0 otherwise, because a wrong function passes some of the later cases by chance. Where parts
have a worth of their own, the points are the worth of those that pass.
A side effect that only the student's process saw is noted: no point depends on it.
"""

import contextlib
from collections.abc import Callable, Iterable

from labsupport.check.ask.answer import Answer, Failure, Malformed, decode
from labsupport.check.judge.kit import raised, signs, strain
from labsupport.check.judge.kit.agreement import Asked, agreed
from labsupport.check.judge.kit.as_data import data
from labsupport.check.judge.kit.causes import Cause, first
from labsupport.check.judge.kit.compare import Noted, NotedForm, Wrong, WrongForm, a_type
from labsupport.check.judge.kit.exercise import Case, Exercise, Part, unanswered
from labsupport.check.judge.kit.verdict import Ending, Line, Mark, Verdict


class Raised(Wrong):
    """An error of the student's function; two from one line are alike."""

    def __init__(self, error: Failure, reason: str):
        super().__init__(reason)
        self.alike = f"{error.names[0]} {error.line}" if error.line else ""


def judge(exercise: Exercise, cases: Iterable[Case], ask: Callable[[Case], object]) -> Verdict:
    """Run every case and judge its answer. `ask` returns an answer as an undecoded message."""
    lines: list[Line] = []
    failure: tuple[Wrong, Cause] | None = None  # the first, a Noted only as long as there is no other
    only_noted = True
    unwritten, cases_asked, first_right = 0, 0, False
    worth, rungs, place = 0.0, False, None
    answer: Answer | None = None
    wrongly: list[Asked] = []
    mistake = plainly = ""
    for index, case in enumerate(cases):
        if case.costly and not only_noted:
            lines.append(Line(Mark.OPEN, case.title))
            continue
        try:
            answer = decode(ask(case), exercise.answer)
        except Malformed as problem:
            return unanswered(exercise, str(problem))
        strain.notice(answer.error)
        cases_asked += 1
        unwritten += answer.error is not None and signs.is_stub(answer.error)
        parts = _parts(exercise, case, answer)
        wrong = noted = None
        for part in [_as_one(case.title, parts)] if index else parts:
            if wrong:
                lines.append(Line(Mark.OPEN, part.title))
                continue
            try:
                part.holds()
                lines.append(Line(Mark.PASSED, part.title))
                worth += part.worth
            except Noted as found:
                noted = noted or found
                lines.append(Line(Mark.NOTED, part.title, found.reason, found.alike or found.reason))
                where = f"part {len(lines)}, {found.place}"
            except Wrong as found:
                wrong = found
                key = found.alike or found.reason or part.title
                lines.append(Line(Mark.FAILED, part.title, found.reason, key))
                where = f"part {len(lines)}, {found.place}"
        found = wrong if wrong and only_noted else noted if failure is None else None
        own = not case.raises and case.given is None  # by the exercise's own rule
        if found:
            named = own and _on_value(found, parts)
            failure = (found, _cause(exercise, case.known, answer) if named else Cause("", ""))
            mistake, plainly = failure[1].name or where, where
        elif failure and own and answer.error and not (failure[1].text or isinstance(failure[0], WrongForm)):
            later = _cause(exercise, case.known, answer)  # an error that the small main case does not raise
            failure, mistake = (failure[0], later), later.name or mistake
        if exercise.everywhere and wrong and own and not answer.error:
            wrongly.append(Asked(case.known, answer))
        only_noted = only_noted and wrong is None
        if index == 0:
            first_right, rungs = wrong is None, any(part.worth for part in parts)
        if exercise.place and worth:
            place = exercise.place(case.known, answer)
    about = {"exercise": exercise.name, "number": exercise.number, "lines": lines, "place": place}
    if unwritten == cases_asked:
        return Verdict(**about, status=Ending.UNWRITTEN, share=0.0, cause=_unwritten_by(exercise, answer))
    if failure is None:
        return Verdict(**about, status=Ending.RIGHT, share=1.0)
    if not (isinstance(failure[0], Raised) or agreed(exercise, failure[1], wrongly)):
        failure, mistake = (failure[0], Cause("", "")), plainly
    earned = sum(line.status in (Mark.PASSED, Mark.NOTED) for line in lines)
    share = worth if rungs else earned / len(lines) if first_right else 0.0
    show = {label: data(value) for label, value in failure[0].show.items()}
    return Verdict(
        **about, status=Ending.WRONG, share=share, show=show, cause=failure[1].text, mistake=mistake
    )


def _on_value(wrong: Wrong, parts: list[Part]) -> bool:
    """Whether the value is wrong: a failure of form or of a side effect alone has no further cause."""
    if not isinstance(wrong, WrongForm):
        return True
    try:
        for part in parts:
            with contextlib.suppress(WrongForm):
                part.holds()
    except Wrong:
        return True
    except Exception:  # a value of this type cannot be compared
        pass
    return False


def _cause(exercise: Exercise, inputs: dict, answer: Answer) -> Cause:
    """The likely mistake; an empty cause if the answer has a wrong type or shape for the search."""
    if error := answer.error:
        return first(raised.cause((_culprit(exercise, error), exercise.name), error, exercise.builds_on))
    try:
        return first(exercise.cause(inputs, answer))
    except Exception:
        return Cause("", "")


def _parts(exercise: Exercise, case: Case, answer: Answer) -> list[Part]:
    expected, error = case.raises, answer.error
    if expected:
        return [Part(case.title, lambda: _raised(expected, answer))]
    given = [] if case.given is None else [case.given]
    parts = exercise.parts(case.known, answer, *given)
    if error:  # no part of this case can be checked without an answer
        return [Part(case.title, lambda: _answered(exercise, error)), *parts[1:]]
    return [*parts, Part("the arguments are as they were", lambda: _untouched(answer))]


def _as_one(title: str, parts: list[Part]) -> Part:
    def holds() -> None:
        noted = None
        for part in parts:
            try:
                part.holds()
            except Wrong as found:
                found.alike = found.alike or found.reason or part.title
                found.reason = ": ".join(one for one in (part.title, found.reason) if one not in ("", title))
                if not isinstance(found, Noted):
                    raise
                noted = noted or found
        if noted:
            raise noted

    return Part(title, holds)


def _culprit(exercise: Exercise, error: Failure) -> str:
    """The exercise whose function raised an error: an earlier one that this one calls, or this one."""
    return error.where if error.where in exercise.builds_on else exercise.name


def _answered(exercise: Exercise, error: Failure) -> None:
    culprit = _culprit(exercise, error)
    where = f" in your {culprit}" if culprit != exercise.name else ""
    raise Raised(error, f"your function raised {error.names[0]}{where}" + _text(error))


def _raised(expected: str, answer: Answer) -> None:
    error = answer.error
    if not error:
        raise Wrong(f"your function returned {a_type(answer.value)} instead")
    if expected not in error.names:
        raise Raised(error, f"your function raised {error.names[0]} instead" + _text(error))


def _text(error: Failure) -> str:
    text = f": {error.text}" if error.text else ""
    return text + (f", in line {error.line}: {error.source}" if error.line and error.source else "")


def _untouched(answer: Answer) -> None:
    if answer.changed:
        shown, more = answer.changed[:4], len(answer.changed) - 4
        rest = f" and {more} more" if more > 0 else ""
        raise NotedForm(f"your function changed {', '.join(shown)}{rest} in place")


def _unwritten_by(exercise: Exercise, answer: Answer | None) -> str:
    where = answer.error.where if answer and answer.error else ""
    if where and where != exercise.name:
        return f"It calls {where}, which still raises NotImplementedError."
    return ""
