"""The folder around all of a download, which a browser or an instructor made, is nobody's and left out."""

import re
from dataclasses import replace

from grader.intake import archive, folders, roster
from grader.intake.files import is_copy
from grader.intake.identity import identified
from grader.intake.senders import sender


def unwrapped(entries: list[archive.Entry], lab: str, people: roster.Roster | None) -> list[archive.Entry]:
    """The files without the folder around all of them if it is nobody's, and without further ones in it.

    Of those, as an instructor's or ILIAS's and OLAT's own, two students of the roster must be below.
    """
    inner = deeper = without_folder(entries, lab, people)
    while people and inner is not entries and not students(deeper, lab, people):
        if len({entry.parts[0] for entry in deeper}) != 1:
            return inner
        deeper = [replace(entry, parts=entry.parts[1:]) for entry in deeper if len(entry.parts) > 1]
        if len(students(deeper, lab, people)) > 1:
            return deeper
    return inner


def students(entries: list[archive.Entry], lab: str, people: roster.Roster) -> set[str]:
    """The students whom the names of files or folders tell."""
    senders = {found[0].origin: found[0] for entry in entries if (found := sender(entry.parts, lab))}
    whose = {identified(each, people, "")[0] for each in senders.values()}
    return {student for student in whose | {people.find(entry.parts[0])[0] for entry in entries} if student}


def without_folder(
    entries: list[archive.Entry], lab: str, people: roster.Roster | None
) -> list[archive.Entry]:
    """The files without the folder around all of them, if there is one and it is nobody's."""
    firsts = {entry.parts[0] for entry in entries}
    inner = [replace(entry, parts=entry.parts[1:]) for entry in entries if len(entry.parts) > 1]
    if len(firsts) != 1 or not inner or (people and people.find(min(firsts))[0]):
        return entries
    senders = [found[0] for entry in entries if (found := sender(entry.parts, lab))]
    if not senders:
        own = any(len(entry.parts) == 1 and is_copy(entry.parts[0], lab) for entry in inner)
        named = any(sender(entry.parts, lab) for entry in inner)
        alone = not people or (len(inner) == 1 and re.fullmatch(r"(?=\D*\d)[A-Za-z0-9]+", min(firsts)))
        return entries if own and not named and alone else inner  # of one student, by the id
    if any(each.platform not in folders.IN_ONE or identified(each, people, "")[0] for each in senders):
        return entries
    known = any(sender(entry.parts, lab) or (people and people.find(entry.parts[0])[0]) for entry in inner)
    return inner if known else entries
