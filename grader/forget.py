"""Removes a student from the course folder, and says where the person is still named."""

import json
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path

from nbgrader.api import MissingEntry
from sqlalchemy import text

from grader import course
from grader.intake import extensions, kept, register, roster, teams
from grader.intake.stored import DRAFT, STUDENT, TEAM, alone, recover
from grader.results import lms_export, table
from labsupport.errors import LabError
from labsupport.progress import bar

OF_STUDENTS = ("submitted", "graded", "autograded", "feedback")  # folders with a folder for each student
BY_LAB = ("journal", "attempts")  # folders with a folder for each lab, and files STUDENT.* in it
ELSEWHERE = """\
Not looked at, because it lies outside the course folder: downloads and the learning platform, nbgrader's
exchange (inbound and feedback), CSVs and pages that you copied, archives, backups, logs. `collect` brings
back whoever is in what it reads."""


@dataclass(frozen=True)
class Trace:
    """A place that has data of a student, and how it is removed.

    word: whether it is found by a word of the id or the name alone, which may be another person's.
    """

    what: str
    remove: Callable[[], None]
    word: bool = False


def forget(student: str, really: bool) -> list[str]:
    """Remove a student everywhere in the course folder; sentences on what was removed, and what is left.

    really: whether to remove anything. A call that was interrupted is completed by the next one. Raises
    LabError for a student of whom there is nothing, and if something cannot be removed.
    """
    if not STUDENT.fullmatch(student):
        raise LabError(f"'{student}' cannot be a student id.")
    if not course.folder().is_dir():
        raise LabError(f"There is no course in {course.folder()}.")
    called = words(student)
    if not really:
        return [f"would remove {trace.what}" for trace in found_of(student, called)]
    said = []
    with alone(course.folder() / "submitted"):  # no `collect` brings the student back meanwhile
        recover(course.folder() / "submitted")  # what a killed one had moved aside may be others' work
        for trace in found_of(student, called):
            try:
                trace.remove()
            except OSError as problem:
                raise LabError(f"{trace.what} cannot be removed: {problem.strerror or problem}.") from problem
            said.append(f"removed {trace.what}")
    return [*said, *(f"still named in {path}" for path in naming(called)), ELSEWHERE]


def found_of(student: str, called: list[str]) -> list[Trace]:
    """The places that have data of the student. Raises LabError if there are none."""
    found = list(traces(student, called))
    if all(trace.word for trace in found):
        said = f" '{student}' is a word in {', '.join(trace.what for trace in found)}." if found else ""
        raise LabError(f"There is nothing of {student} in {course.folder()}.{said}")
    return found


def words(student: str) -> list[str]:
    """What a student is called: the id, and from the roster the name in each order, the mail and the login.

    Canvas writes a name in one word. A login of digits alone is left out: it would be found everywhere.
    """
    who = lms_export.on_roster().get(student, {})
    name, mail, login = lms_export.name(who), lms_export.value(who, "mail"), lms_export.value(who, "login")
    last, _, first = name.partition(", ")
    own = "" if login.isdigit() else login
    parts = re.findall(r"\w+", unicodedata.normalize("NFC", name))
    joined = ("".join(parts[turn:] + parts[:turn]) for turn in range(len(parts)))
    turned = [word for word in joined if len(word) > 5]  # a shorter one may be any word
    return [student, *filter(None, (name, first and f"{first} {last}", *turned, mail, own))]


def traces(student: str, called: list[str]) -> Iterator[Trace]:
    """Every place that has data of the student; the roster last: it knows what a person is called.

    The pages first: an interrupted call is completed while anything else is there. The table of a challenge
    shows a chosen name, by which nobody can search.
    """
    folder = course.folder()
    pages = [*folder.glob("report*.html"), *folder.glob("report_*_pairs/*.html")]
    for path in sorted(path for path in pages if names(path, called)):
        yield Trace(f"{path.relative_to(folder)}, which `report` makes again", path.unlink, word=True)
    for lab in course.labs():  # before the journal, which says in which tables the student has a place
        table_page = folder / f"report_{lab}_table.html"
        if table_page.exists() and (folder / "journal" / lab / f"{student}.json").exists():
            yield Trace(f"{table_page.name}, which `report` makes again", table_page.unlink)
    for name in OF_STUDENTS:
        if (folder / name / student).exists():
            yield Trace(f"{name}/{student}", partial(shutil.rmtree, folder / name / student))
    for name in BY_LAB:
        for path in sorted((folder / name).glob("*/*")):
            if re.fullmatch(rf"\.?{re.escape(student)}\.(json|entered|underway)(\.\d+)?", path.name):
                yield Trace(str(path.relative_to(folder)), path.unlink)
    for path in sorted((folder / "submitted").glob(f"{DRAFT}*")):  # of a `collect` that was killed
        yield Trace(str(path.relative_to(folder)), partial(shutil.rmtree, path))
    for lab in course.labs():
        held = register.read(folder / "submitted", lab)
        origins = (*held.unmatched, *held.assigned)
        of_whom = {*held.students, *held.assigned.values()}
        if student in of_whom or any(named(origin.encode(), called) for origin in origins):
            remove = partial(unregister, student, called, lab)
            yield Trace(f"an entry in collected/{lab}.json", remove, word=student not in of_whom)
        for what, titles in ((extensions.WHAT, extensions.TITLES), (teams.WHAT, teams.TITLES)):
            if student in kept.read(what, lab, titles):
                yield Trace(f"a line in {what}/{lab}.csv", partial(unlist, student, what, lab, titles))
    for mark in sorted((folder / "submitted").glob(f"*/*/{TEAM}")):
        if teams.of(mark.parent.parent.name, mark.parent.name) == student:
            yield Trace(f"{mark.relative_to(folder)}, which names the teammate", mark.unlink)
    with table.opened() as book:
        if book and student in table.enrolled(book):
            yield Trace("the student in nbgrader's gradebook", partial(unbook, student))
    if student in lms_export.on_roster():
        yield Trace("a line in roster.csv", partial(roster.without, folder / "roster.csv", student))


def unregister(student: str, called: list[str], lab: str) -> None:
    """Remove the student from what `collect` found wrong, could match to nobody, or was told whose it is."""
    submitted = course.folder() / "submitted"
    held = register.read(submitted, lab)
    held.students.pop(student, None)
    left = {origin: why for origin, why in held.unmatched.items() if not named(origin.encode(), called)}
    told = {
        origin: whose
        for origin, whose in held.assigned.items()
        if whose != student and not named(origin.encode(), called)
    }
    register.write(submitted, lab, register.Register(held.students, left, told))


def unlist(student: str, what: str, lab: str, titles: tuple[str, ...]) -> None:
    """Remove the student's line from what the course keeps of a lab: an extension, or a team."""
    lines = kept.read(what, lab, titles)
    del lines[student]
    kept.write(what, lab, titles, lines)


def unbook(student: str) -> None:
    """Remove the student from nbgrader's gradebook; of SQLite's file also the freed pages."""
    with table.opened() as book:
        if book is None:
            return
        try:
            book.remove_student(student)
        except MissingEntry:
            return
        if book.engine.dialect.name == "sqlite":
            book.db.close()
            with book.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM"))


def naming(called: list[str]) -> list[str]:
    """The files of the course folder that name somebody, by their paths in it."""
    found = []
    for root, _, files in bar(os.walk(course.folder()), "looking for what is left", delay=1):
        paths = (Path(root, name) for name in sorted(files))
        found += [str(path.relative_to(course.folder())) for path in paths if names(path, called)]
    return sorted(found)


def names(path: Path, called: list[str]) -> bool:
    """Whether a file's name or text has one of these words as a whole word."""
    try:
        return named(os.fsencode(path.name), called) or named(path.read_bytes(), called)
    except OSError:
        return False


def named(raw: bytes, called: list[str]) -> bool:
    """Whether a text has one of these words as a whole word, as it is or as JSON or HTML writes it.

    An accent may be a letter of its own, as macOS writes it.
    """
    spelled = {unicodedata.normalize(form, word) for word in called for form in ("NFC", "NFD")} | {*called}
    written = {form for word in spelled for form in (word, json.dumps(word)[1:-1], escape(word))}
    whole = "|".join(map(re.escape, written))
    pattern = rf"(?<![A-Za-z0-9])({whole})(?![A-Za-z0-9])"
    return bool(re.search(pattern.encode(), raw, re.IGNORECASE))
