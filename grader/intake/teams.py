"""Teams: a CSV for each lab, which the course keeps in course/teams/LAB.csv; one work counts for all members.

A line says the `team` of a student_id; a line without one takes back what an earlier file said. The latest
work of a team, or that of a member with a yes under `counts`, lies in the folder of each member. A member's
own work waits there, aside, and comes back when the team's doesn't count any more. Due dates, extensions and
rows of grades stay each member's own.
"""

import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from grader import course
from grader.intake import files, kept
from grader.intake.parse import shown
from grader.intake.stored import DRAFT, LATE, OWN, TEAM, alone, own, put, time_in
from labsupport.errors import LabError

WHAT = "teams"
TITLES: tuple[str, ...] = ("student_id", "team", "counts")
UNCLEAR = (
    "team {team}: {students} handed in different work at times that are not known: give one of them a yes in "
    "the column counts"
)


def read(lab: str) -> dict[str, str]:
    """The team of each student who has one. Raises LabError for a damaged file."""
    lines = kept.read(WHAT, lab, TITLES)
    return {student: line["team"] for student, line in lines.items() if line["team"]}


def counting(lab: str) -> set[str]:
    """The students whose work counts for their teams, whatever the times are."""
    lines = kept.read(WHAT, lab, TITLES)
    return {student for student, line in lines.items() if line["counts"].casefold() in kept.YES}


def keep(lab: str, new: Path) -> list[str]:
    """Add a CSV to what the course keeps; the students in it. Raises LabError, and changes nothing."""
    added = kept.new(new, TITLES)
    for student, line in added.items():
        if line["counts"].casefold() not in kept.YES + kept.NO:
            raise LabError(f"{new} has '{shown(line['counts'])}' under counts for {student}: yes or nothing.")
    kept.add(WHAT, lab, TITLES, added)
    return list(added)


def of(student: str, lab: str) -> str:
    """The teammate whose work counts for a student; "" where it is the student's own."""
    mark = course.folder() / "submitted" / student / lab / TEAM
    return mark.read_text("utf-8").strip() if mark.is_file() else ""


def spread(lab: str) -> tuple[list[str], bool]:
    """Let the latest work of each team count for all its members; sentences, and whether a person must look.

    Raises LabError when the course folder cannot be written.
    """
    place = course.folder() / "submitted"
    try:
        with alone(place):
            return spread_in(place, lab)
    except OSError as problem:
        raise LabError(f"Cannot write {place}: {problem.strerror or problem}.") from problem


def spread_in(place: Path, lab: str) -> tuple[list[str], bool]:
    """The same, while no `collect` writes there. Raises OSError."""
    teams, counts, said, unclear = read(lab), counting(lab), [], False
    for mark in sorted(place.glob(f"*/{lab}/{TEAM}")):
        student, mate = mark.parent.parent.name, of(mark.parent.parent.name, lab)
        if student not in teams or teams[student] != teams.get(mate):
            said.append(f"{student}: the work of {mate} does not count any more")
            withdraw(mark.parent)
    for team in sorted({*teams.values()}):
        folders = {each: place / each / lab for each in sorted(teams) if teams[each] == team}
        work = {each: own(folder) for each, folder in folders.items() if notebook(own(folder), lab)}
        latest = of_team({each: work[each] for each in work if each in counts} or work, lab)
        if work and not latest:
            unclear = True
            said.append(UNCLEAR.format(team=team, students=", ".join(work)))
        if latest and (folders[latest] / TEAM).exists():
            withdraw(folders[latest])
        for student in folders if latest else ():
            if student != latest and give(folders[student], student, latest, folders[latest], lab):
                said.append(f"{student}: has the work of {latest}, of the same team")
    return said, unclear


def notebook(folder: Path, lab: str) -> bytes:
    """The notebook of a lab in a folder; empty if there is none."""
    chosen = files.choose(folder, lab)
    return chosen[0] if isinstance(chosen, tuple) else b""


def of_team(work: dict[str, Path], lab: str) -> str:
    """The member with the latest work; "" where works differ and the time of one is not known."""
    times = {student: time_in(folder / "timestamp.txt") for student, folder in work.items()}
    differ = len({notebook(folder, lab) for folder in work.values()}) > 1
    if not work or (differ and None in times.values()):
        return ""
    return max(work, key=lambda student: (times[student] or datetime.min, student))


def give(target: Path, student: str, mate: str, source: Path, lab: str) -> bool:
    """Put the work of a teammate in the place of a student's own, which stays aside; False if it is there."""
    raw = notebook(source, lab)
    beside = [name for name in ("timestamp.txt", LATE) if (source / name).exists()]
    there = [name for name in ("timestamp.txt", LATE) if (target / name).exists()]
    same_time = beside == there and time_in(source / "timestamp.txt") == time_in(target / "timestamp.txt")
    if same_time and notebook(target, lab) == raw and of(student, lab) == mate:
        return False
    with tempfile.TemporaryDirectory(prefix=DRAFT, dir=target.parent.parent) as draft:
        new = Path(draft, "new", student)
        new.mkdir(parents=True)
        (new / f"{lab}.ipynb").write_bytes(raw)
        for name in beside:
            shutil.copyfile(source / name, new / name)
        (new / TEAM).write_text(mate)
        if own(target).is_dir():
            shutil.copytree(own(target), new / OWN)
        put(target, new, Path(draft))
    return True


def withdraw(folder: Path) -> None:
    """Take a teammate's work away, and bring the student's own back. Raises OSError."""
    with tempfile.TemporaryDirectory(prefix=DRAFT, dir=folder.parent.parent) as draft:
        if (folder / OWN).is_dir():
            new = Path(draft, "new", folder.parent.name)
            shutil.copytree(folder / OWN, new)
            put(folder, new, Path(draft))
        else:
            shutil.rmtree(folder)
