"""The table of a challenge: the files of a class by their bytes, under the names that their authors chose."""

import ast
from collections import defaultdict
from dataclasses import dataclass

import nbformat

from grader.grade import names
from grader.grade.journal import Record
from grader.results.person import Person
from labsupport.check.judge.kit.verdict import Place

CHOSEN = "pseudonym"  # the variable of a lab's cell that holds the name
LONGEST = 30  # letters of a name


@dataclass(frozen=True)
class Standing:
    """One file of the table. names: those of its authors, "" for an author without one."""

    number: int
    file: Place
    names: list[str]
    people: list[Person]

    @property
    def rise(self) -> float:
        """Its perplexity over that of the dense model on the same text."""
        return self.file.perplexity / self.file.dense


def standings(people: list[Person]) -> list[Standing]:
    """The files that earned points, the smallest first; the same file twice is one place."""
    owners: dict[str, list[Person]] = defaultdict(list)
    files: dict[str, Place] = {}
    for person in people:
        for verdict in person.verdicts.values():
            if verdict.place:
                files[verdict.place.file] = verdict.place
                owners[verdict.place.file].append(person)
    ordered = sorted(files.values(), key=lambda file: (file.bytes, file.perplexity))
    return [
        Standing(number, file, [pseudonym(each.record) for each in owners[file.file]], owners[file.file])
        for number, file in enumerate(ordered, 1)
    ]


def pseudonym(record: Record | None) -> str:
    """The name that a student gave in the notebook, printable and short; "" without one. Nothing is run."""
    if record is None or not record.notebook:
        return ""
    found = ""
    for cell in nbformat.reads(record.notebook, as_version=4).cells:
        if cell.cell_type == "code" and CHOSEN in cell.source:
            found = _assigned(cell.source) or found
    kept = "".join(letter if letter.isprintable() else " " for letter in found)
    return " ".join(kept.split())[:LONGEST]


def _assigned(source: str) -> str:
    """The text that the last `pseudonym = "..."` of a cell assigns; "" without one."""
    try:
        body = names.tree(source).body
    except names.NotPython:
        return ""
    texts = [
        line.value.value
        for line in body
        if isinstance(line, ast.Assign)
        and isinstance(line.value, ast.Constant)
        and isinstance(line.value.value, str)
        and any(isinstance(target, ast.Name) and target.id == CHOSEN for target in line.targets)
    ]
    return texts[-1] if texts else ""
