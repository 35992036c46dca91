"""How a judge names a mistake, and points to the section of the lab that explains it."""

from collections.abc import Iterator

from msgspec import Struct

POINTERS: set[tuple[str, str]] = set()  # every section that a judge points to: number, title


class Cause(Struct, frozen=True):
    """Sentences on a mistake. name: what they have in common with those of the same mistake elsewhere.

    A text that holds numbers of the case needs a name; a text that is always the same is its own.
    """

    text: str
    name: str


Named = str | Cause
Causes = Named | Iterator[Named]  # a name, "" for none, or several of which the first counts


def see(number: str, title: str) -> str:
    """A pointer to a section of a lab, as it ends a sentence. A test holds the titles to the labs."""
    POINTERS.add((number, title))
    return f'see section {number}, "{title}".'


def first(causes: Causes) -> Cause:
    """The first cause that is named; one without a text where there is none."""
    found = causes if isinstance(causes, str | Cause) else next(causes, "")
    return Cause(found, found) if isinstance(found, str) else found


def looks(said: Named) -> Cause:
    """A mistake in a whole sentence: "It looks as if", and what was done."""
    named = first(said)
    return Cause(f"It looks as if {named.text}", named.name)
