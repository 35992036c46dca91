"""The report's statistics of a class: scores, statuses, late submissions, and time by phase."""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from grader.author.source import Cell
from grader.grade.journal import Record
from grader.results import charts
from grader.results.exercises import ExerciseSummary
from grader.results.person import Kind, Person
from grader.results.table import points
from grader.status import ENDED_EARLY, SCORELESS, Status

ORDER = (  # most urgent first
    Status.GRADER_ERROR,
    Status.PARTLY_GRADED,
    Status.SET_ASIDE,
    Status.UNREADABLE,
    *ENDED_EARLY,
    Status.NOT_GRADED_YET,
    Status.NOT_SUBMITTED,
    Status.EXEMPT,
    Status.GRADED,
)
PHASES = {  # phase of a submission -> pattern of its bar
    "intake": "reading and mending the notebook",
    "start": "starting the sandbox",
    "code": "the student's code",
    "judging": "judging",
    "other": "everything else",
}


@dataclass(frozen=True)
class Spread:
    """The histogram of the totals. bars: students by total, the last bar for full marks only.

    width: points of a bar. most: points of the lab. whole: whether written questions are included.
    """

    bars: list[int]
    width: int
    most: float
    whole: bool
    median: float | None

    @property
    def full(self) -> int:
        """The number of students with full marks."""
        return self.bars[-1]

    @property
    def chart(self) -> Markup:
        """The histogram as a chart; it needs at least one score."""
        assert self.median is not None
        last = len(self.bars) - 1
        names = [points(place * self.width) for place in range(last)] + [points(self.most)]
        counted = ", ".join(f"{number} with {name}" for number, name in zip(self.bars, names, strict=True))
        middle = f"median {points(self.median)}"
        place = last if self.median >= self.most else int(self.median // self.width)
        label = f"Students by points: {counted}; {middle} of {points(self.most)}"
        return charts.histogram(self.bars, names, label, place, middle)


@dataclass(frozen=True)
class Time:
    """The time of a class by phase. spent: seconds by the keys of PHASES; ran: number of submissions run.

    total, median: of their seconds. asked, known: the number of perplexities of masks that submissions
    requested, and of those that had been measured before.
    """

    spent: dict[str, float]
    ran: int
    total: float
    median: float
    asked: int
    known: int

    @property
    def phases(self) -> dict[str, float]:
        """The phases that took noticeable time."""
        return {name: seconds for name, seconds in self.spent.items() if seconds >= 0.05}

    @property
    def chart(self) -> Markup:
        """A bar chart of the phases."""
        return _phase_bar(self.spent, 20)


def shared(records: list[Record]) -> set[str]:
    """The limits that were enforced for nobody, because this machine cannot."""
    ran = [set(record.unenforced) for record in records if record.status not in SCORELESS]
    return set.intersection(*ran) if len(ran) > 1 else set()


def spread(scored: list[Person], exercises: list[ExerciseSummary], written: list[Cell]) -> Spread:
    """The histogram of totals, without written questions while an answer waits to be graded.

    Points are rounded to two decimals, as shown.
    """
    whole = all(person.row.scores[cell.name] is not None for person in scored for cell in written)
    most = sum(item.points for item in exercises) + sum(cell.points for cell in written if whole)
    values = [
        round(person.row.total or 0.0, 2)
        if whole
        else sum(round(person.row.scores[item.name] or 0.0, 2) for item in exercises)
        for person in scored
    ]
    width = max(1, math.ceil(most / 15))
    bars = [0] * (math.ceil(most / width) + 1)
    for value in values:
        bars[-1 if value >= most else int(value // width)] += 1
    return Spread(bars, width, most, whole, statistics.median(values) if values else None)


def hardest(exercises: list[ExerciseSummary]) -> ExerciseSummary | None:
    """The exercise with the fewest full marks; None if all students have all exercises right."""
    missed = [item for item in exercises if item.counts[Kind.RIGHT] < item.judged]
    return min(missed, key=lambda item: item.counts[Kind.RIGHT], default=None)


def statuses(people: list[Person]) -> list[tuple[Status, int]]:
    """The counts of statuses that occur: GRADED, then the most urgent first."""
    counts = Counter(person.status for person in people)
    return [(status, counts[status]) for status in (Status.GRADED, *ORDER[:-1]) if status in counts]


def look(people: list[Person]) -> list[Person]:
    """The students whose submission an instructor should look at, most urgent first."""
    return sorted(
        (person for person in people if person.needs_a_look), key=lambda person: ORDER.index(person.status)
    )


def groups(sentences: Iterable[tuple[Person, list[str]]]) -> list[tuple[str, list[Person]]]:
    """Sentences with the students that they apply to, the most frequent sentence first."""
    found: dict[str, list[Person]] = defaultdict(list)
    for person, said in sentences:
        for sentence in dict.fromkeys(said):
            found[sentence].append(person)
    return sorted(found.items(), key=lambda item: -len(item[1]))


def late(people: list[Person]) -> list[Person]:
    """The students who were late, the latest first."""
    return sorted(
        (person for person in people if person.row.late),
        key=lambda person: -(person.row.late_seconds or 0.0),
    )


def slowest(people: list[Person]) -> list[tuple[Person, Markup]]:
    """The ten submissions that took longest, with a bar of their phases each."""
    ran = [(person, person.record) for person in people if person.record and person.record.seconds > 0]
    ran = sorted(ran, key=lambda pair: -pair[1].seconds)[:10]
    return [(person, _phase_bar(phases(record), 14, ran[0][1].seconds)) for person, record in ran]


def _phase_bar(spent: dict[str, float], height: int, most: float = 0.0) -> Markup:
    parts = [(f"phase-{name}", seconds, f"{PHASES[name]} {seconds:.1f} s") for name, seconds in spent.items()]
    return charts.bar(parts, height, most)


def phases(record: Record) -> dict[str, float]:
    """The seconds of a submission by the keys of PHASES; `other` is the remainder."""
    known = {name: max(0.0, record.phases.get(name, 0.0)) for name in PHASES if name != "other"}
    return known | {"other": max(0.0, record.seconds - math.fsum(known.values()))}


def time(records: list[Record]) -> Time:
    """The time of the class by phase, and the number of perplexities taken from the memo."""
    ran = [record for record in records if record.seconds > 0 and record.status != Status.UNREADABLE]
    by_record = [phases(record) for record in records]
    seconds = [record.seconds for record in ran]
    asked = [measured.how for record in ran for measured in record.shared]
    return Time(
        spent={name: math.fsum(spent[name] for spent in by_record) for name in PHASES},
        ran=len(ran),
        total=math.fsum(seconds),
        median=statistics.median(seconds) if seconds else 0.0,
        asked=len(asked),
        known=asked.count("known"),
    )
