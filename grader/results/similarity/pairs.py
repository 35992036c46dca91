"""The pairs of authors whose programs are alike.

The likeness of two programs is the share of their fingerprints that they have in common, 0 to 1, without
those that many students have: what everybody must write says nothing. The shorter program counts most,
because code that is inserted into a copy must not hide it. The likeness is computed for each exercise, and
for all exercises together. The limits were measured on independent right answers and on disguised copies;
see tests/results/test_similarity.py. copydetect (winnowing, as MOSS does) is not used: it gives all names
one mark, those of library functions too, by which short answers differ.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from scipy import sparse

from grader.results.similarity.programs import Author
from labsupport.progress import bar

ALIKE = 0.8  # minimal likeness of a pair
LEAST = 18  # fingerprints that a pair has in common at least, those of many students included
RARE = 8  # fingerprints that a pair, and few other students, have in common at least
SHORTER = 0.9  # weight of the shorter program's length in a likeness; that of the longer is the rest
TINY = 12  # a program with fewer fingerprints is not compared: right answers of this length are equal
TOGETHER = 64  # students who are compared with all authors at one time
FEW = 4  # students who may have a fingerprint in common, however small the class is


@dataclass(frozen=True)
class Pair:
    """Two authors with programs that are alike; `one` is a student.

    likeness: of the exercise that is most alike, or of all together. exercises: the likeness of each
    exercise that both wrote at length. common: the number of fingerprints in common.
    """

    one: Author
    other: Author
    likeness: float
    exercises: dict[str, float]
    common: int


def pairs(authors: list[Author], given: set[str], most: int) -> tuple[list[Pair], int]:
    """The pairs that are alike, the most alike first and `most` of them; and how many more there are.

    authors: students, then files of the course. given: the fingerprints of the release. Some students at a
    time are compared with all authors, so that memory grows with the class and not with its square.
    """
    asked = list(dict.fromkeys(chain.from_iterable(author.programs for author in authors)))
    students = sum(author.student for author in authors)
    written, rare = {}, {}  # who has which fingerprints, for each exercise
    for exercise in bar(asked, "comparing exercises", delay=1):
        sets = [compared(author, exercise, given) for author in authors]
        usual = frequent(sets[:students])
        written[exercise], rare[exercise] = table(sets), table([prints - usual for prints in sets])
    found: list[Pair] = []
    count = 0
    for start in bar(range(0, students, TOGETHER), "comparing students", delay=1):
        some = _some(authors, written, rare, slice(start, min(start + TOGETHER, students)))
        found = sorted([*found, *some], key=strength, reverse=True)[:most]
        count += len(some)
    return found, count - len(found)


def _some(authors: list[Author], written: dict, rare: dict, rows: slice) -> list[Pair]:
    """The pairs of some students with the authors that follow each of them. written, rare: by exercise."""
    size = {exercise: sizes(prints) for exercise, prints in rare.items()}  # [authors]
    # [rows, authors] each
    common = {exercise: overlaps(prints, rows) for exercise, prints in written.items()}
    few = {exercise: overlaps(prints, rows) for exercise, prints in rare.items()}
    close = {exercise: shares(few[exercise], size[exercise], rows) for exercise in rare}
    found: dict[tuple[int, int], Pair] = {}
    for scope in [*([exercise] for exercise in rare), [*rare]] if rare else []:
        together = np.sum([common[exercise] for exercise in scope], axis=0)
        shared = np.sum([few[exercise] for exercise in scope], axis=0)
        alike = shares(shared, np.sum([size[exercise] for exercise in scope], axis=0), rows)
        flagged = (alike >= ALIKE) & (together >= LEAST) & (shared >= RARE)
        for i, j in np.argwhere(np.triu(flagged, rows.start + 1)).tolist():
            one, other = rows.start + i, j
            both = [exercise for exercise in rare if size[exercise][one] and size[exercise][other]]
            exercises = {exercise: float(close[exercise][i, j]) for exercise in both}
            pair = Pair(
                authors[one], authors[other], float(alike[i, j]), exercises, common=int(together[i, j])
            )
            found[one, other] = max(pair, found.get((one, other), pair), key=strength)
    return [found[key] for key in sorted(found)]


def strength(pair: Pair) -> tuple[float, int]:
    """The sort key of pairs."""
    return round(pair.likeness, 2), pair.common


def compared(author: Author, exercise: str, given: set[str]) -> set[str]:
    """The fingerprints of an author's program for an exercise; none if it is tiny or not there."""
    program = author.programs.get(exercise)
    prints = set(program.prints) - given if program else set()
    return prints if len(prints) >= TINY else set()


def frequent(sets: list[set[str]]) -> set[str]:
    """The fingerprints of more than half of the students who wrote the exercise, and of more than FEW."""
    counts = Counter(chain.from_iterable(sets))
    most = max(FEW, sum(map(bool, sets)) // 2)
    return {each for each, count in counts.items() if count > most}


def table(sets: list[set[str]]) -> sparse.csr_array:
    """Which set has which element, 0 or 1: int [n, elements]."""
    column: dict[str, int] = {}
    places = [(row, column.setdefault(one, len(column))) for row, each in enumerate(sets) for one in each]
    at = np.array(places, dtype=np.int64).reshape(-1, 2).T
    ones, shape = np.ones(at.shape[1], dtype=np.int64), (len(sets), len(column))
    return sparse.csr_array((ones, tuple(at)), shape=shape)


def sizes(table: Any) -> np.ndarray:
    """The number of elements of each set, int [n]."""
    return np.diff(table.indptr)


def overlaps(table: Any, rows: slice) -> np.ndarray:
    """The number of elements that some sets have in common with each set, int [rows, n]."""
    return (table[rows] @ table.T).toarray()


def shares(overlap: np.ndarray, sizes: np.ndarray, rows: slice) -> np.ndarray:
    """The likeness of some sets to each set, from their overlaps and sizes: Tversky's index. [rows, n]."""
    shorter, longer = np.minimum.outer(sizes[rows], sizes), np.maximum.outer(sizes[rows], sizes)
    return overlap / np.maximum(1, SHORTER * shorter + (1 - SHORTER) * longer)
