"""What stopped a check, as data: the cell, its error and the line. The page forms the sentence."""

from enum import StrEnum

from msgspec import Struct

STUB = "raise NotImplementedError"


class Why(StrEnum):
    """The kinds of a stop. The function is not defined: BROKEN to ABSENT; it is asked: from NEEDED on."""

    BROKEN = "broken"  # the cell that defines it ended in an error
    BELOW = "below"  # the cell that defines it stands below the check
    LOST = "lost"  # it was defined, and deleted since
    TEXT = "text"  # the cell that defines it is no code
    RENAMED = "renamed"  # its cell defines another function
    ABSENT = "absent"  # no cell defines it
    CHECK = "check"  # the check cell ended in an error
    SILENT = "silent"  # the check cell ran, and sent nothing
    NEEDED = "needed"  # a cell that sets a name of the function's ended in an error
    SPLIT = "split"  # an indented cell below the function failed: it may be the rest of it
    REBOUND = "rebound"  # a cell between the function and its check gives the name to something else
    STUB = "stub"  # its cell is written, and still holds the stub's last line
    TWICE = "twice"  # its cell holds the stub, and another cell defines it


class Error(Struct, frozen=True):
    """The error that ended a cell; line: of that cell, from 1, or 0 if unknown."""

    name: str
    text: str = ""
    line: int = 0

    def __str__(self) -> str:
        text = f"{self.name}: {self.text}" if self.text else self.name
        return f"{text}, in line {self.line}" if self.line else text


class Place(Struct, frozen=True):
    """A cell by its number in the submitted notebook, from 1 (0: put back), and the heading above it."""

    number: int
    heading: str = ""

    def __str__(self) -> str:
        cell = f"cell {self.number}" if self.number else "the cell that was put back"
        return f'{cell} (below "{self.heading}")' if self.heading else cell


class Stop(Struct, frozen=True):
    """Why a check had no right function to ask. name: of the function or, if NEEDED, of what it lacks."""

    why: Why
    name: str
    place: Place | None = None
    error: Error | None = None
    other: str = ""  # if RENAMED: the function that is defined instead

    def sentence(self) -> str:
        """The cause and what to do, for the student."""
        lacking = f"The function {self.name} is not defined when its check runs:"
        place = str(self.place)
        first = place[:1].upper() + place[1:]
        return {
            Why.BROKEN: f"{lacking} {place}, which defines it, ended in {self.error}. Mend that cell.",
            Why.BELOW: f"{lacking} {place}, which defines it, stands below the check. Move it up.",
            Why.LOST: f"{lacking} {place} defines it, and a cell between the two deletes it.",
            Why.TEXT: f"{lacking} {place}, which defines it, is not code. Make it a code cell.",
            Why.RENAMED: f"{lacking} its cell, {place}, defines {self.other}. "
            f"Give that the name {self.name}.",
            Why.ABSENT: f"{lacking} no cell defines it.",
            Why.CHECK: f"The check itself, {place}, ended in {self.error}.",
            Why.SILENT: f"The check itself, {place}, ran and sent nothing: a cell above it replaces the "
            "checks, or takes what they need. Delete that cell.",
            Why.NEEDED: f"{first}, which sets {self.name}, ended in {self.error}. Mend that cell first.",
            Why.SPLIT: f"{first}, between the function {self.name} and its check, ended in {self.error}. "
            "If it is the rest of the function, join the two cells.",
            Why.REBOUND: f"{first} gives the name {self.name} to something else before the check runs. "
            "Take another name there.",
            Why.STUB: f"{first} still holds the line {STUB}(): delete it.",
            Why.TWICE: f"{first} defines {self.name} too, and does not count: write it into the "
            "exercise's own cell.",
        }[self.why]
