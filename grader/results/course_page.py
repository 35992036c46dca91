"""The course's page: a line a student with all labs so far, who falls behind, and what each lab cost.

templates/course.html has the layout; like the report it needs no network and no script.
"""

import math
import statistics
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from grader import course
from grader.author.source import Cell
from grader.grade import journal
from grader.results import exercises, lms_export, penalties, report, summary, table
from grader.results.exercises import ExerciseSummary
from grader.results.table import Row
from grader.results.templating import template
from grader.status import Status
from labsupport import files
from labsupport.errors import LabError
from labsupport.progress import bar

HALF = 0.5  # of the points so far: whoever has less is listed as falling behind


@dataclass(frozen=True)
class Lab:
    """One lab of the course. rows: by student. weight: its share of all points.

    hardest: the exercise that cost most, None if all is right. median: of the totals, as a share of the
    points that were judged; None without a score.
    """

    name: str
    rows: dict[str, Row]
    asked: list[Cell]
    most: float
    weight: float
    median: float | None
    hardest: ExerciseSummary | None
    page: str

    @property
    def scored(self) -> int:
        """The number of students with a score."""
        return sum(row.total is not None for row in self.rows.values())


@dataclass(frozen=True)
class Student:
    """One student of the course. share: of the points so far; missing: labs without a score.

    marked: the labs where something is to be decided or renewed.
    """

    student: str
    name: str
    totals: list[float | None]
    points: float
    share: float
    missing: list[str]
    marked: list[bool]

    @property
    def behind(self) -> bool:
        """Whether a score is missing that most of the class has, or half of the points are not there."""
        return bool(self.missing) or self.share < HALF


def write(path: Path) -> Path:
    """Write the page of the course atomically; its path. Raises LabError."""
    path = Path(path).absolute()
    try:
        files.write_whole(path, page(path.parent).encode())
    except OSError as problem:
        raise LabError(f"The page cannot be written to {path}: {problem.strerror}.") from problem
    return path


def page(folder: Path) -> str:
    """The page as HTML; `folder`: where it will lie, for the links to the reports."""
    labs = handed_out(folder)
    people = students(labs)
    return template("course.html").render(
        made=f"{datetime.now():%d %B %Y, %H:%M}", labs=labs, people=people,
        most=math.fsum(lab.most for lab in labs), behind=[person for person in people if person.behind],
    )  # fmt: skip


def handed_out(folder: Path) -> list[Lab]:
    """The labs that were released in this course."""
    found = [name for name in course.labs() if (course.folder() / "release" / name).is_dir()]
    asked = {name: table.questions(name) for name in found}
    most = {name: math.fsum(cell.points for cell in cells) for name, cells in asked.items()}
    labs = []
    for name in bar(found, "reading the labs", delay=1):
        penalties.renew(name)
        records = journal.records(name, notebooks=False)
        people = report.everybody(name, records, set(), folder)
        checks = [exercises.summary(cell, people) for cell in asked[name] if cell.kind == "check"]
        judged = [(person.row.total, judged_points(asked[name], person.row)) for person in people]
        shares = [total / of for total, of in judged if total is not None and of]
        own = folder / f"report_{name}.html"
        labs.append(
            Lab(
                name,
                {person.row.student: person.row for person in people},
                asked[name],
                most[name],
                most[name] / (math.fsum(most.values()) or 1),
                statistics.median(shares) if shares else None,
                summary.hardest(checks) if shares else None,
                own.name if own.is_file() else "",
            )
        )
    return labs


def judged_points(asked: list[Cell], row: Row) -> float:
    """The points of the questions that were judged: an answer that waits for a person costs nothing."""
    return math.fsum(cell.points for cell in asked if row.scores[cell.name] is not None)


def students(labs: list[Lab]) -> list[Student]:
    """Everybody, by student id."""
    roster, found = lms_export.on_roster(), []
    graded = [lab for lab in labs if lab.scored]
    for student in sorted({student for lab in labs for student in lab.rows}):
        counting = [
            lab for lab in graded if student not in lab.rows or lab.rows[student].status != Status.EXEMPT
        ]
        most = math.fsum(
            judged_points(lab.asked, lab.rows[student])
            if student in lab.rows and lab.rows[student].total is not None
            else lab.most
            for lab in counting
        )
        totals = {lab.name: lab.rows[student].total if student in lab.rows else None for lab in labs}
        points = math.fsum(total or 0.0 for total in totals.values())
        missing = [
            lab.name[:2] for lab in counting if totals[lab.name] is None and 2 * lab.scored > len(lab.rows)
        ]
        name = lms_export.name(roster.get(student, {}))
        share = points / most if most else 1.0
        marked = [student in lab.rows and bool(lab.rows[student].notes) for lab in labs]
        found.append(Student(student, name, list(totals.values()), points, share, missing, marked))
    return found
