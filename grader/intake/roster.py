"""The roster: maps names and numbers of a learning platform to the student ids of the course.

A roster is a CSV with the column `student_id`, and `name` or `first_name` and `last_name`; every other
column with id, login, user or mail in its title also identifies the student. The name columns of Canvas
and Moodle (`Student`, `Full name`) are accepted, so that their class lists can serve as rosters.
"""

import csv
import io
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from labsupport.errors import LabError

LARGEST = 20 * 2**20  # bytes
IDENTIFIES = re.compile("id|login|user|mail")
NAMES = ("name", "full_name", "student")


@dataclass
class Roster:
    """Student ids by a platform's names and numbers; a key with two ids identifies nobody."""

    by_id: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    by_number: dict[str, set[str]] = field(
        default_factory=lambda: defaultdict(set)
    )  # only the platform's ids
    by_name: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    lines: dict[str, dict[str, str]] = field(default_factory=dict)  # rows of the CSV by student id

    def find(self, name: str, number: str = "", own_numbers: bool = True) -> tuple[str | None, str]:
        """The student id for a platform's name and number, or None and the reason.

        own_numbers: whether the platform's number may also be a student_id (Moodle's never is).
        """
        numbers = self.by_number.get(key(number), set())
        if own_numbers:
            numbers = numbers | self.by_id.get(key(number), set())
        names = self.by_id.get(key(name), set()) | self.by_name.get(key(name), set())
        both = numbers & names if numbers and names else numbers | names
        said = f"'{name}'" + (f" with number {number}" if number else "")
        if len(both) == 1:
            return next(iter(both)), ""
        if both or (numbers and names):
            return None, f"{said} fits several students of the roster: {', '.join(sorted(numbers | names))}"
        return None, f"{said} is not in the roster"


def key(text: str) -> str:
    """Text without accents, case, space and punctuation."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in plain if letter.isalnum())


def spellings(name: str) -> set[str]:
    """The spellings of a name on platforms: 'Jane Smith', 'Smith, Jane', 'smithjane'."""
    words = [word for word in re.split(r"[\s,]+", name) if key(word)]
    return {key("".join(words[turn:] + words[:turn])) for turn in range(len(words))}


def read(path: Path) -> Roster:
    """Read a roster from a CSV with `,` `;` or tab as separator. Raises LabError for another file."""
    try:
        raw = path.read_bytes()[: LARGEST + 1]
        text = raw.decode("utf-8-sig")
    except OSError as problem:
        raise LabError(f"The roster {path} cannot be read: {problem.strerror}.") from problem
    except UnicodeDecodeError as problem:
        raise LabError(f"The roster {path} is not UTF-8: save it as 'CSV UTF-8'.") from problem
    head = text.split("\n", 1)[0]
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count)))
    except csv.Error as problem:
        raise LabError(f"The roster {path} is not a CSV file: {problem}.") from problem
    titles = [re.sub(r"\W+", "_", title.strip().casefold()) for title in rows[0]] if rows else []
    if "student_id" not in titles or len(raw) > LARGEST:
        raise LabError(
            f"The roster {path} needs a column 'student_id', and 'name' or 'first_name' and 'last_name'."
        )
    roster, seen = Roster(), set()
    for number, cells in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        row = {title: cell.strip() for title, cell in zip(titles, cells, strict=False)}
        student = row.get("student_id", "")
        if not student or student in seen:
            what = f"the student_id '{student}' a second time" if student else "no student_id"
            raise LabError(f"The roster {path} has {what} in line {number}.")
        seen.add(student)
        roster.lines[student] = row
        enter(roster, student, row)
    return roster


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
