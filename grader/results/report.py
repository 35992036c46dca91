"""What an instructor looks at: one page on a class, that needs no network and runs nothing.

All that comes from a submission is hostile until it is escaped: the template escapes every value, and
what is not printable (a change of the writing direction, for one) is shown as a mark. See
templates/report.html for how the page looks.
"""

import os
import re
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader

from grader import course
from grader.grade import journal
from grader.grade.journal import Record
from grader.intake.parse import shown
from grader.results import charts, lms_export, summary, table
from grader.status import GRADED, GRADER_ERROR, NOT_GRADED_YET, NOT_SUBMITTED, SCORELESS, UNREADABLE
from labsupport import files
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.verdict import RIGHT, UNWRITTEN
from labsupport.errors import LabError

MOST = 6000  # characters of one text that are shown
MEANING = {
    GRADED: "ran to its end; every score stands",
    "TIMEOUT": "a cell took too long; what was judged before stands",
    "OUT_OF_MEMORY": "it took more memory than allowed; what was judged before stands",
    "KERNEL_DIED": "its Python ended in the middle; what was judged before stands",
    "OUTPUT_LIMIT": "it printed more than allowed; its output was cut, the rest stands",
    GRADER_ERROR: "the grader failed, not the student; grade again",
    UNREADABLE: "the file could not be read; no score, not a 0",
    NOT_GRADED_YET: "a submission waits to be graded",
    NOT_SUBMITTED: "nothing was handed in; no score, not a 0",
}
KINDS = {  # how an exercise went: in words, and the pattern of its bar
    "right": "all right",
    "partly": "partly right",
    "wrong": "not yet",
    "unwritten": "not written",
    "open": "not reached",
}
NUMBER = re.compile(r"(?<![A-Za-z_])-?\d[\d.,]*(?:e[-+]?\d+)?")
SHOWN = re.compile(r"  \S+(?: \S+)*  +\S")  # a verdict's line of numbers: label, gap, value


def write(lab: str, path: Path) -> Path:
    """Write the report on a lab, whole or not at all; its path."""
    path = Path(path).absolute()
    html = page(course.lab(lab), path.parent)
    try:
        files.write_whole(path, html.encode())
    except OSError as problem:
        raise LabError(f"The report cannot be written to {path}: {problem.strerror}.") from problem
    return path


def page(lab: str, folder: Path) -> str:
    """The report as HTML; `folder` is where it will lie, for links to the feedback."""
    records = journal.records(lab)
    rows = table.rows(lab, records)
    by_student = {record.student: record for record in records}
    people = [
        _person(lab, number, row, by_student.get(row["student"]), folder)
        for number, row in enumerate(rows, 1)
    ]
    shared = summary.shared(people)
    for person in people:
        person["alone"] = [sentence for sentence in person["unenforced"] if sentence not in shared]
        person["why"] = person["status"] != GRADED or person["flags"] or person["alone"] or person["nothing"]
    scored = [person for person in people if person["row"]["total"]]
    exercises = [_exercise(cell, people) for cell in table.questions(lab) if cell.kind == "check"]
    written = [cell for cell in table.questions(lab) if cell.kind == "written"]
    number, words = lab.split("_", 1)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True, finalize=printable,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("report.html").render(
        title=f"Lab {number}: {words.replace('_', ' ')}", made=f"{datetime.now():%d %B %Y, %H:%M}",
        people=people, scored=scored, exercises=exercises, written=written, kinds=KINDS, MEANING=MEANING,
        PHASES=summary.PHASES, spread=summary.spread(scored, exercises, written),
        hardest=summary.hardest(exercises), statuses=summary.statuses(people), late=summary.late(people),
        time=summary.time(people), slowest=summary.slowest(people), span=lms_export.span,
        look=sorted((person for person in people if person["why"]), key=lambda person: person["rank"]),
        flags=summary.groups(people, "flags"), unenforced=summary.groups(people, "unenforced"),
        flagged=sum(bool(person["flags"]) for person in people), shared=shared, points=table.points,
    )  # fmt: skip


def printable(value):
    """A text as it can stand on the page: nothing invisible, nothing that turns the line, not endless."""
    if type(value) is not str:  # also markup, which the template has escaped already
        return value
    cut = value if len(value) <= MOST else f"{value[:MOST]}\n[{len(value) - MOST:,} characters more]"
    return "".join(letter if letter.isprintable() or letter == "\n" else _mark(letter) for letter in cut)


def _mark(letter: str) -> str:
    return " " if letter.isspace() else "�"


def mistake(message: str) -> str:
    """The mistake a message names: the first sentence of its cause, else its first FAILED line."""
    blocks = message.split("\n\n")
    cause = next((block for block in blocks[2:] if block.strip() and not SHOWN.match(block)), "")
    if cause:
        return shown(
            re.split(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)\s+", " ".join(cause.split()), maxsplit=1)[0], 300
        )
    failed = re.search(r"^  FAILED +(.+(?:\n {12}.*)*)", "\n".join(blocks[1:2]), re.MULTILINE)
    return shown(" ".join(failed[1].split()), 300) if failed else ""


# One student, one exercise


def _person(lab: str, number: int, row: dict, record: Record | None, folder: Path) -> dict:
    """A student as the template shows them."""
    status, verdicts = row["status"], record.verdicts if record else {}
    kinds = {name: _kind(status, verdict) for name, verdict in verdicts.items()}
    return {
        "anchor": f"student-{number}", "row": row, "record": record, "status": status,
        "rank": summary.ORDER.index(status) if status in summary.ORDER else 0,
        "flags": record.flags if record else [], "unenforced": record.unenforced if record else [],
        "verdicts": verdicts, "kinds": kinds, "late": lms_export.lateness(row),
        "nothing": status == GRADED and bool(kinds) and not {"right", "partly"} & set(kinds.values()),
        "phases": summary.phases(record) if record else {},
        "feedback": _feedback(lab, row["student"], folder),
    }  # fmt: skip


def _feedback(lab: str, student: str, folder: Path) -> str:
    """The way from the report to a student's feedback page; "" where there is none."""
    path = course.folder() / "feedback" / student / lab / f"{lab}.html"
    if "/" in student or not path.is_file():
        return ""
    return quote(os.fsencode(os.path.relpath(path, folder)))


def _kind(status: str, verdict: dict) -> str:
    """How an exercise went, in a submission of that status: a key of KINDS."""
    if verdict["status"] == "unasked" and status != GRADED:
        return "open"
    if verdict["status"] == RIGHT:
        return "right"
    if verdict["status"] == UNWRITTEN:
        return "unwritten"
    return "partly" if verdict["share"] > 0 else "wrong"


def _exercise(cell, people: list[dict]) -> dict:
    """How the class did on one exercise, and what went wrong most often."""
    judged = [person for person in people if person["status"] not in SCORELESS]
    counts = Counter(person["kinds"].get(cell.name, "open") for person in judged)
    groups: dict[str, list[tuple[str, dict]]] = defaultdict(list)
    for person in judged:
        if person["kinds"].get(cell.name) in ("partly", "wrong"):
            said = mistake(person["verdicts"][cell.name].get("message", ""))
            groups[NUMBER.sub("#", said)].append((said, person))
    groups.pop("", None)
    mistakes = [
        {
            "text": Counter(said for said, _ in group).most_common(1)[0][0],
            "vary": len({said for said, _ in group}) > 1,
            "people": [person for _, person in group],
        }
        for group in sorted(groups.values(), key=len, reverse=True)
    ]
    parts = [(kind, counts[kind], f"{counts[kind]} {words}") for kind, words in KINDS.items()]
    return {"name": cell.name, "number": number_of(cell.name), "points": cell.points, "counts": counts,
            "judged": len(judged), "mistakes": mistakes, "chart": charts.bar(parts)}  # fmt: skip


def number_of(exercise: str) -> str:
    """An exercise's number, as 2.1; "" for one that the checks do not know."""
    return EXERCISES[exercise].number if exercise in EXERCISES else ""
