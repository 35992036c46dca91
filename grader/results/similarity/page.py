"""The pages that show the programs of a pair side by side, one page for each pair."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.results.similarity.pairs import Pair
from grader.results.similarity.programs import Program
from grader.results.templating import template
from labsupport import files


@dataclass(frozen=True)
class Side:
    """One program of a pair. lines: each with whether the other program has something of it too."""

    name: str
    lines: list[tuple[str, bool]]


def write(pairs: list[Pair], folder: Path, report: str) -> None:
    """Write the pages 1.html, 2.html and so on, in place of earlier ones; report: the name of its file."""
    shutil.rmtree(folder, ignore_errors=True)
    for number, pair in enumerate(pairs, 1):
        html = template("pair.html").render(pair=pair, compared=compared(pair), report=report)
        files.write_whole(folder / f"{number}.html", html.encode())


def compared(pair: Pair) -> Iterator[tuple[str, float, list[Side]]]:
    """The exercises of a pair, the most alike first, with their likeness and both sides."""
    for exercise, share in sorted(pair.exercises.items(), key=lambda item: -item[1]):
        one, other = pair.one.programs[exercise], pair.other.programs[exercise]
        common = one.prints.keys() & other.prints.keys()
        yield exercise, share, [side(pair.one.name, one, common), side(pair.other.name, other, common)]


def side(name: str, program: Program, common: set[str]) -> Side:
    """A program with the lines marked that have a common fingerprint."""
    marked = set().union(*(program.prints[each] for each in common))
    lines = enumerate(program.text.split("\n"), 1)
    return Side(name, [(line, number in marked) for number, line in lines])
