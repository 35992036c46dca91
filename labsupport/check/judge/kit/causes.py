"""The names of mistakes, and pointers to the sections of a lab that explain them."""

from collections.abc import Iterator

from msgspec import Struct

POINTERS: set[tuple[str, str]] = set()  # all sections in pointers: number, title


class Cause(Struct, frozen=True):
    """Sentences on a mistake. name: an identifier shared by all texts on the same mistake.

    A text with numbers of the case needs a name; a constant text serves as its own name.
    """

    text: str
    name: str


Named = str | Cause
Causes = Named | Iterator[Named]  # one cause, "" for none, or several, of which the first counts


def see(number: str, title: str) -> str:
    """A pointer to a section of a lab, for the end of a sentence. A test checks the titles."""
    POINTERS.add((number, title))
    return f'see section {number}, "{title}".'


def first(causes: Causes) -> Cause:
    """The first cause with a text; an empty cause if there is none."""
    found = causes if isinstance(causes, str | Cause) else next(causes, "")
    return Cause(found, found) if isinstance(found, str) else found


def all_of(causes: Causes) -> list[Cause]:
    """Every cause with a text."""
    found = [causes] if isinstance(causes, str | Cause) else causes
    return [cause for cause in map(first, found) if cause.text]


def looks(said: Named) -> Cause:
    """A cause as a whole sentence, which begins with "It looks as if"."""
    named = first(said)
    return Cause(f"It looks as if {named.text}", named.name)
