"""The report's statistics of one exercise: results of the class, and its most frequent mistakes."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from markupsafe import Markup

from grader import course
from grader.author.source import Cell
from grader.intake.parse import shown
from grader.results import charts
from grader.results.person import KINDS, Kind, Person
from grader.status import SCORELESS

LONGEST = 300  # characters shown of a mistake's sentence


@dataclass(frozen=True)
class Mistake:
    """A mistake and its students. text: the most frequent sentence on it; vary: whether there are others."""

    text: str
    vary: bool
    people: list[Person]


@dataclass(frozen=True)
class ExerciseSummary:
    """Results of a class on an exercise. judged: number of graded submissions; counts: by kind."""

    name: str
    number: str
    points: float
    judged: int
    counts: Counter[Kind]
    mistakes: list[Mistake]  # the most frequent first

    @property
    def chart(self) -> Markup:
        """A bar chart of the counts by kind."""
        counts = self.counts
        return charts.bar([(kind, counts[kind], f"{counts[kind]} {words}") for kind, words in KINDS.items()])


def summary(cell: Cell, people: list[Person]) -> ExerciseSummary:
    """The results of the class on the exercise of a check cell."""
    name = cell.name
    judged = [person for person in people if person.status not in SCORELESS]
    counts = Counter(person.kind(name) or Kind.OPEN for person in judged)
    wrong = [
        person
        for person in judged
        if person.kind(name) in (Kind.PARTLY, Kind.WRONG) or _carried(person, name)
    ]
    return ExerciseSummary(
        name, number(cell, people), cell.points, len(judged), counts, mistakes(name, wrong)
    )


def _carried(person: Person, name: str) -> bool:
    """Whether a verdict takes the student's own wrong earlier answers as given."""
    return name in person.verdicts and bool(person.verdicts[name].given)


def number(cell: Cell, people: list[Person]) -> str:
    """The number of an exercise, such as 2.1, from a verdict, or from its heading if there is none."""
    verdicts = (person.verdicts.get(cell.name) for person in people)
    known = next((verdict.number for verdict in verdicts if verdict), "")
    heading = re.search(
        rf"^# ## ([0-9.]+) {cell.name}$", course.source(cell.lab).read_text("utf-8"), re.MULTILINE
    )
    return known or (heading[1] if heading else "")


def mistakes(exercise: str, people: list[Person]) -> list[Mistake]:
    """The mistakes of these students in an exercise, grouped by the judge's identifier."""
    groups: dict[str, list[tuple[str, Person]]] = defaultdict(list)
    for person in people:
        verdict = person.verdicts[exercise]
        if sentence := verdict.headline():
            groups[verdict.mistake or sentence].append((shown(sentence, LONGEST), person))
    found = []
    for group in sorted(groups.values(), key=len, reverse=True):
        sentences = Counter(sentence for sentence, _ in group)
        people = [person for _, person in group]
        found.append(Mistake(sentences.most_common(1)[0][0], len(sentences) > 1, people))
    return found
