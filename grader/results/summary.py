"""The report's answers on a class as a whole: how it did, who ended how, who was late, where the time went.

A person is a student as report.py hands them over: row, record, status, flags, unenforced, late, phases.
"""

import math
import statistics
from collections import Counter, defaultdict

from markupsafe import Markup

from grader.grade.journal import Record
from grader.results import charts, table
from grader.status import (
    ENDED_OTHERWISE,
    GRADED,
    GRADER_ERROR,
    NOT_GRADED_YET,
    NOT_SUBMITTED,
    SCORELESS,
    UNREADABLE,
)

ORDER = (GRADER_ERROR, UNREADABLE, *ENDED_OTHERWISE, NOT_GRADED_YET, NOT_SUBMITTED, GRADED)  # urgent first
PHASES = {  # where the time of a submission goes, and the pattern of its bar
    "intake": "reading and mending the notebook",
    "start": "starting the sandbox",
    "code": "the student's code",
    "judging": "judging",
    "other": "everything else",
}


def shared(people: list[dict]) -> set[str]:
    """The limits that held for nobody: a matter of this machine, and of no student."""
    ran = [set(person["unenforced"]) for person in people if person["status"] not in SCORELESS]
    return set.intersection(*ran) if len(ran) > 1 else set()


def spread(scored: list[dict], exercises: list[dict], written: list) -> dict:
    """The histogram of totals; of the exercises alone while a written answer waits to be graded."""
    whole = all(person["row"][cell.name] for person in scored for cell in written)
    most = sum(item["points"] for item in exercises) + sum(cell.points for cell in written if whole)
    names = [item["name"] for item in exercises]
    values = [
        float(person["row"]["total"]) if whole else sum(float(person["row"][name] or 0) for name in names)
        for person in scored
    ]
    width = max(1, math.ceil(most / 15))  # points in a bar; the last bar holds full marks alone
    bars = [0] * (math.ceil(most / width) + 1)
    for value in values:
        bars[-1 if value >= most else int(value // width)] += 1
    median = statistics.median(values) if values else None
    return {"bars": bars, "width": width, "most": most, "whole": whole, "full": bars[-1], "median": median,
            "chart": _histogram(bars, width, most, median) if values else ""}  # fmt: skip


def _histogram(bars: list[int], width: int, most: float, median: float) -> Markup:
    names = [table.points(place * width) for place in range(len(bars) - 1)] + [table.points(most)]
    counted = ", ".join(f"{number} with {name}" for number, name in zip(bars, names, strict=True))
    middle = f"median {table.points(median)}"
    place = len(bars) - 1 if median >= most else int(median // width)
    return charts.histogram(
        bars, names, f"Students by points: {counted}; {middle} of {table.points(most)}", place, middle
    )


def hardest(exercises: list[dict]) -> dict | None:
    """The exercise that the fewest have all right; None where all have everything right."""
    missed = [item for item in exercises if item["counts"]["right"] < item["judged"]]
    return min(missed, key=lambda item: item["counts"]["right"], default=None)


def statuses(people: list[dict]) -> list[tuple[str, int]]:
    """The statuses that there are, and how often: those that ended well, then the urgent first."""
    counts = Counter(person["status"] for person in people)
    ordered = [status for status in (GRADED, *ORDER) if status in counts]
    return [(status, counts[status]) for status in dict.fromkeys([*ordered, *counts])]


def groups(people: list[dict], what: str) -> list[tuple[str, list[dict]]]:
    """The sentences of one sort with the students they were said of, the most frequent first."""
    found: dict[str, list[dict]] = defaultdict(list)
    for person in people:
        for sentence in dict.fromkeys(person[what]):
            found[sentence].append(person)
    return sorted(found.items(), key=lambda item: -len(item[1]))


def late(people: list[dict]) -> list[dict]:
    """Those who were late, the latest first."""
    return sorted(
        (person for person in people if person["late"]),
        key=lambda person: -float(person["row"]["late_seconds"] or 0),
    )


def slowest(people: list[dict]) -> list[dict]:
    ran = [person for person in people if person["record"] and person["record"].seconds > 0]
    ran = sorted(ran, key=lambda person: -person["record"].seconds)[:10]
    for person in ran:
        person["chart"] = _phase_bar(person["phases"], 14, ran[0]["record"].seconds)
    return ran


def _phase_bar(phases: dict[str, float], height: int, most: float = 0.0) -> Markup:
    parts = [(f"phase-{name}", each, f"{PHASES[name]} {each:.1f} s") for name, each in phases.items()]
    return charts.bar(parts, height, most)


def phases(record: Record) -> dict[str, float]:
    """The seconds of a submission by the keys of PHASES; other is what no phase accounts for."""
    known = {name: max(0.0, float(record.phases.get(name, 0.0))) for name in PHASES if name != "other"}
    return known | {"other": max(0.0, record.seconds - math.fsum(known.values()))}


def time(people: list[dict]) -> dict:
    """Where the time of the class went, and how many perplexities were answered from one measurement."""
    records = [person["record"] for person in people if person["record"] and person["record"].seconds > 0]
    spent = {name: math.fsum(person["phases"].get(name, 0.0) for person in people) for name in PHASES}
    seconds = [record.seconds for record in records]
    asked = [answer.get("how") for record in records for answer in record.shared]
    return {
        "phases": {name: each for name, each in spent.items() if each >= 0.05},
        "chart": _phase_bar(spent, 20), "ran": len(records),
        "total": math.fsum(seconds), "median": statistics.median(seconds) if seconds else 0.0,
        "asked": len(asked), "known": asked.count("known"),
    }  # fmt: skip
