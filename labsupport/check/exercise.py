"""What an exercise is: a name, cases from a seed, a way to ask and a way to judge.

The first case is the exercise itself and is shown part by part; every later case (ties, the ends of
the range, a model) counts as one part. Points are the share of parts that pass, once the first case
is right: an answer that is wrong there earns nothing by being harmless elsewhere.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from labsupport.check.asking import call
from labsupport.check.verdict import RIGHT, UNWRITTEN, WRONG, Line, Verdict
from labsupport.check.wire import Opaque


class Wrong(Exception):
    """A part that does not hold, with the numbers that show it."""

    def __init__(self, reason: str = "", **show):
        super().__init__(reason)
        self.reason = reason
        self.show = {label.replace("_", " "): value for label, value in show.items()}


@dataclass(frozen=True)
class Case:
    """One question: what the function is called with, and the error it must raise, if any.

    inputs: plain data and tensors by parameter name, in the order of the signature; a recipe (see
    recipes.py) where both sides build a model for themselves. A `costly` case is asked last, and only
    when all before it passed.
    """

    title: str
    inputs: dict
    raises: str | None = None
    costly: bool = False


@dataclass(frozen=True)
class Part:
    """One thing that must hold; `holds` raises Wrong where it does not."""

    title: str
    holds: Callable[[], None]


@dataclass(frozen=True)
class Exercise:
    """An exercise of COURSE: `parts` judges one answer, `cause` names the mistake it shows, if any."""

    name: str
    number: str
    cases: Callable[[int], list[Case]]  # seed -> cases
    parts: Callable[[dict, dict], list[Part]]  # inputs, answer -> what must hold
    cause: Callable[[dict, dict], str] = field(default=lambda _inputs, _answer: "")
    ask: Callable[[Callable, dict], dict] = call


def judge(exercise: Exercise, cases: Iterable[Case], ask: Callable[[Case], dict]) -> Verdict:
    """Ask every case, judge every answer. `ask` gives an answer as asking.call describes it."""
    lines: list[Line] = []
    failure: tuple[Wrong, str] | None = None
    unwritten, cases_asked, first_right = 0, 0, False
    for index, case in enumerate(cases):
        if case.costly and failure:
            lines.append(Line("open", case.title))
            continue
        answer = ask(case)
        cases_asked += 1
        unwritten += _error_name(answer) == "NotImplementedError"
        parts = _parts(exercise, case, answer)
        if index:
            parts = [_as_one(case.title, parts)]
        wrong = None
        for part in parts:
            if wrong:
                lines.append(Line("open", part.title))
                continue
            try:
                part.holds()
                lines.append(Line("passed", part.title))
            except Wrong as found:
                wrong = found
                reason = f": {found.reason}" if found.reason else ""
                lines.append(Line("FAILED", part.title + reason))
        if wrong and failure is None:
            answered = not answer.get("error") and not case.raises
            failure = (wrong, _cause(exercise, case.inputs, answer) if answered else "")
        if index == 0:
            first_right = wrong is None
    if unwritten == cases_asked:
        return Verdict(
            exercise.name, exercise.number, UNWRITTEN, lines, 0.0, cause=_unwritten_by(exercise, answer)
        )
    if failure is None:
        return Verdict(exercise.name, exercise.number, RIGHT, lines, 1.0)
    share = sum(line.status == "passed" for line in lines) / len(lines) if first_right else 0.0
    return Verdict(exercise.name, exercise.number, WRONG, lines, share, failure[0].show, failure[1])


def _cause(exercise: Exercise, inputs: dict, answer: dict) -> str:
    """The named mistake. An answer too strange for it (a wrong type or shape) has none."""
    try:
        return exercise.cause(inputs, answer)
    except Exception:
        return ""


def _parts(exercise: Exercise, case: Case, answer: dict) -> list[Part]:
    if case.raises:
        return [Part(case.title, lambda: _raised(case.raises, answer))]
    parts = exercise.parts(case.inputs, answer)
    if answer.get("error"):  # every part of this case waits for an answer
        return [Part(parts[0].title, lambda: _answered(answer)), *parts[1:]]
    return [*parts, Part("the arguments are as they were", lambda: _untouched(answer))]


def _as_one(title: str, parts: list[Part]) -> Part:
    def holds() -> None:
        for part in parts:
            try:
                part.holds()
            except Wrong as found:
                known = "" if part.title == title else part.title
                reason = ": ".join(text for text in (known, found.reason) if text)
                raise Wrong(reason, **found.show) from None

    return Part(title, holds)


def _error_name(answer: dict) -> str:
    error = answer.get("error")
    return error["names"][0] if error else ""


def _answered(answer: dict) -> None:
    error = answer["error"]
    where = f" in {error['where']}" if error["where"] else ""
    raise Wrong(f"your function raised {error['names'][0]}{where}" + _text(error))


def _raised(expected: str, answer: dict) -> None:
    error = answer.get("error")
    if not error:
        value = answer["value"]
        kind = value.type_name if isinstance(value, Opaque) else type(value).__name__
        raise Wrong(f"your function returned a {kind} instead")
    if expected not in error["names"]:
        raise Wrong(f"your function raised {error['names'][0]} instead" + _text(error))


def _text(error: dict) -> str:
    return f": {error['text']}" if error["text"] else ""


def _untouched(answer: dict) -> None:
    if answer["changed"]:
        raise Wrong(f"your function changed {', '.join(answer['changed'])} in place")


def _unwritten_by(exercise: Exercise, answer: dict) -> str:
    where = (answer.get("error") or {}).get("where", "")
    if where and where != exercise.name:
        return f"It calls {where}, which still raises NotImplementedError."
    return ""
