"""The roster: maps names and numbers of a learning platform to the student ids of the course.

A roster is a CSV with the column `student_id`, and `name` or `first_name` and `last_name`; every other
column with id, login, user or mail in its title also identifies the student. The name columns of Canvas
and Moodle (`Student`, `Full name`) are accepted, so that their class lists can serve as rosters: Canvas's
lines that are no student are left out, and Moodle's participant numbers are read in any language.
"""

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from grader.intake import spreadsheet
from grader.intake.spreadsheet import titles_of
from labsupport import files
from labsupport.errors import LabError

IDENTIFIES = re.compile("(^|_)id|id(_|$)|login|user|mail")  # not Midterm
NAMES = ("name", "full_name", "student")
NO_STUDENTS = ("points possible", "manual posting", "muted", "(read only)")  # in lines of Canvas's export
TEST_STUDENT = "Student, Test"  # Canvas's own, for an instructor's Student View
NUMBERED = re.compile(r"\d+([.,]\d+)?E\+\d+", re.IGNORECASE)  # what a spreadsheet makes of a long number
WHOLE = re.compile(r"(\d+)[.,]0")  # what it makes of a number in a column where one is missing
EATEN = "a spreadsheet made a number of it; format the column as text and fill in the ids again"
PARTICIPANT = re.compile(r"(?P<word>\D*[^\W\d_]{3,}\D*?)\s*(?P<number>\d+)")  # Teilnehmer/in12


@dataclass
class Roster:
    """Student ids by a platform's names and numbers; a key with two ids identifies nobody."""

    by_id: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    by_number: dict[str, set[str]] = field(
        default_factory=lambda: defaultdict(set)
    )  # only the platform's ids
    by_name: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    by_participant: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # Moodle's numbers
    words: set[str] = field(default_factory=set)  # in front of these
    lines: dict[str, dict[str, str]] = field(default_factory=dict)  # rows of the CSV by student id

    def named(self, name: str) -> set[str]:
        """The students with a name, or an id, as a platform writes it."""
        return self.by_id.get(key(name), set()) | self.by_name.get(key(name), set())

    def find(self, name: str, number: str = "") -> tuple[str | None, str]:
        """The student id for a platform's name and number, or None and the reason."""
        numbers = self.by_number.get(key(number), set()) | self.by_id.get(key(number), set())
        names = self.named(name)
        both = numbers & names if numbers and names else numbers | names
        said = f"'{name}'" + (f" with number {number}" if number else "") if name else f"'{number}'"
        if len(both) == 1:
            return next(iter(both)), ""
        if both or (numbers and names):
            return None, f"{said} fits several students of the roster: {', '.join(sorted(numbers | names))}"
        return None, f"{said} is not in the roster"


def key(text: str) -> str:
    """Text without accents, case, space and punctuation. The vowel signs of other scripts than Latin stay."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold()).replace("ı", "i")
    return "".join(
        letter
        for letter in folded
        if not "\u02b0" <= letter <= "\u036f"  # accents, and apostrophes that count as letters
        and (letter.isalnum() or unicodedata.category(letter).startswith("M"))
    )


def spellings(name: str) -> set[str]:
    """The spellings of a name on platforms: 'Jane Smith', 'Smith, Jane', 'smithjane'."""
    words = [word for word in re.split(r"[\s,]+", name) if key(word)]
    return {key("".join(words[turn:] + words[:turn])) for turn in range(len(words))}


def is_test_student(name: str) -> bool:
    """Whether a name is that of Canvas's test student."""
    return key(name) in spellings(TEST_STUDENT)


def read(path: Path) -> Roster:
    """Read a roster from a CSV with `,` `;` or tab as separator. Raises LabError for another file."""
    return of_rows(table(path), path)


def of_rows(rows: list[list[str]], path: Path) -> Roster:
    """The roster of a table, whose messages name the file. Raises LabError."""
    titles = titles_of(rows)
    roster, seen = Roster(), set()
    participants = column_of_participants(titles, rows[1:])
    for number, cells in enumerate(rows[1:], 2):
        row = {title: whole(title, cell) for title, cell in zip(titles, cells, strict=False)}
        student = row.get("student_id", "")
        if not any(cells) or no_student(row):
            continue
        if not student or student in seen:
            what = f"the student_id '{student}' a second time" if student else "no student_id"
            raise LabError(f"The roster {path} has {what} in line {number}.")
        if NUMBERED.fullmatch(student) or WHOLE.fullmatch(student):
            raise LabError(f"The roster {path} has the student_id '{student}' in line {number}: {EATEN}.")
        seen.add(student)
        if participants and (found := PARTICIPANT.fullmatch(row.get(participants, ""))):
            row["identifier"] = row.pop(participants)
            roster.by_participant[key(str(int(found["number"])))].add(student)
            roster.words.add(key(found["word"]))
        roster.lines[student] = row
        enter(roster, student, row)
    return roster


def whole(title: str, cell: str) -> str:
    """A cell of a platform's number without the .0 of a spreadsheet: 12345.0 would be read as 123450."""
    number = WHOLE.fullmatch(cell) if title != "student_id" and IDENTIFIES.search(title) else None
    return number[1] if number else cell


def agree(roster: Roster, kept: Path) -> None:
    """Raise LabError for a student_id that lost the zeros with which the course's roster has it."""
    known = read(kept).lines if kept.is_file() else {}
    short = {student.lstrip("0"): student for student in known if student.isdecimal()}
    for student in roster.lines:
        before = short.get(student.lstrip("0"), student)
        if before != student and student not in known:
            raise LabError(
                f"The roster has the student_id '{student}', and the course has '{before}': {EATEN}."
            )


def keep(path: Path, kept: Path) -> None:
    """Bring the roster that the course keeps up to date: nobody known before is lost.

    One that has everybody takes its place. Of a shorter one, what it says of a student counts, and where it
    says nothing, what was known before. Raises OSError, and LabError for a damaged file.
    """
    new, known = read(path).lines, read(kept).lines if kept.is_file() else {}
    if known.keys() <= new.keys():
        files.write_whole(kept, path.read_bytes())
    else:
        spreadsheet.write(kept, together(new, known))


def over(roster: Roster | None, kept: Path) -> Roster | None:
    """A roster, or none, over the one that the course keeps; as `keep` would write it. Raises LabError."""
    known = read(kept) if kept.is_file() else None
    if roster and known and not known.lines.keys() <= roster.lines.keys():
        return of_rows(together(roster.lines, known.lines), kept)
    return roster or known


def together(new: dict[str, dict[str, str]], known: dict[str, dict[str, str]]) -> list[list[str]]:
    """The rows of a roster over another one's, the titles first."""
    lines = {
        student: known.get(student, {})
        | {title: cell for title, cell in new.get(student, {}).items() if cell}
        for student in [*known, *(student for student in new if student not in known)]
    }
    first = ("student_id", "identifier")  # where `read` looks for Moodle's numbers
    titles = [
        *first,
        *dict.fromkeys(title for line in lines.values() for title in line if title not in first),
    ]
    return [titles, *([line.get(title, "") for title in titles] for line in lines.values())]


def without(path: Path, student: str) -> None:
    """Write a roster again without one student. Raises OSError, and LabError for a damaged file."""
    rows = table(path)
    place = titles_of(rows).index("student_id")
    spreadsheet.write(path, [row for row in rows if row[place : place + 1] != [student]])


def table(path: Path) -> list[list[str]]:
    """The rows of a roster's cells, the titles first. Raises LabError for another file."""
    rows = spreadsheet.table(path, f"The roster {path}")
    if "student_id" not in titles_of(rows):
        raise LabError(
            f"The roster {path} needs a column 'student_id', and 'name' or 'first_name' and 'last_name', in "
            "its first line."
        )
    spreadsheet.once(rows, "student_id", f"The roster {path}")
    return rows


def no_student(row: dict[str, str]) -> bool:
    """Whether a line of a platform's list is no student: Canvas's points, notes and test student."""
    if any(cell.casefold().startswith(NO_STUDENTS) for cell in row.values()):
        return True
    if row.get("student_id"):
        return False
    exported = "student" in row or "sis_user_id" in row
    return is_test_student(row.get("student", "")) or (exported and row.get("id") == "")


def column_of_participants(titles: list[str], rows: list[list[str]]) -> str:
    """The title of Moodle's column 'Identifier', which is called otherwise in every language; "" if none.

    It is the list's first column, and has one word and a number: Participant 12, Teilnehmer/in12, 参加者 12.
    """
    at = 1 if titles[0] == "student_id" and len(titles) > 1 else 0
    known = {"student_id", "first_name", "last_name", "sis_user_id", "sis_login_id", "canvas_id", *NAMES}
    if titles[at] in known or re.search("login|user|mail", titles[at]):
        return ""
    found = [PARTICIPANT.fullmatch(cells[at]) for cells in rows if len(cells) > at and cells[at]]
    words = {match["word"] for match in found if match}
    return titles[at] if found and all(found) and len(words) == 1 else ""


def enter(roster: Roster, student: str, row: dict[str, str]) -> None:
    """Add one student under all names and numbers of a platform."""
    numbers = [value for title, value in row.items() if title != "student_id" and IDENTIFIES.search(title)]
    full_names = [row.get(title, "") for title in NAMES]
    full_names.append(f"{row.get('first_name', '')} {row.get('last_name', '')}")
    names = {spelling for name in full_names for spelling in spellings(name)}
    names |= {
        key(value.split("@")[0]) for value in numbers
    }  # the local part of a mail address, if it is unique
    tables = (
        (roster.by_id, {key(student)}),
        (roster.by_number, set(map(key, numbers))),
        (roster.by_name, names),
    )
    for table, keys in tables:
        for each in keys - {""}:
            table[each].add(student)
