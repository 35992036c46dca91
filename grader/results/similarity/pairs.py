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

ALIKE = 0.8  # minimal likeness of a pair
LEAST = 18  # fingerprints that a pair has in common at least, those of many students included
RARE = 8  # fingerprints that a pair, and few other students, have in common at least
SHORTER = 0.9  # weight of the shorter program's length in a likeness; that of the longer is the rest
TINY = 12  # a program with fewer fingerprints is not compared: right answers of this length are equal
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


def pairs(authors: list[Author], given: set[str]) -> list[Pair]:
    """The pairs that are alike, the most alike first. authors: students, then files of the course.

    given: the fingerprints of the release.
    """
    asked = list(dict.fromkeys(chain.from_iterable(author.programs for author in authors)))
    common, rare = {}, {}  # [authors, authors] for each exercise
    for exercise in asked:
        sets = [compared(author, exercise, given) for author in authors]
        usual = frequent(sets[: sum(author.student for author in authors)])
        common[exercise], rare[exercise] = overlaps(sets), overlaps([prints - usual for prints in sets])
    likeness = {exercise: shares(table) for exercise, table in rare.items()}
    found: dict[tuple[str, str], Pair] = {}
    for scope in [*([exercise] for exercise in asked), asked] if asked else []:
        together = np.sum([common[exercise] for exercise in scope], axis=0)
        few = np.sum([rare[exercise] for exercise in scope], axis=0)
        close = shares(few)
        flagged = (close >= ALIKE) & (together >= LEAST) & (few >= RARE)
        for i, j in np.argwhere(np.triu(flagged, 1)).tolist():
            if not authors[i].student:
                break  # two files of the course, as are all pairs that follow
            both = [exercise for exercise in asked if rare[exercise][i, i] and rare[exercise][j, j]]
            alike = {exercise: float(likeness[exercise][i, j]) for exercise in both}
            pair = Pair(authors[i], authors[j], float(close[i, j]), alike, int(together[i, j]))
            key = (pair.one.name, pair.other.name)
            found[key] = max(pair, found.get(key, pair), key=strength)
    return sorted(found.values(), key=strength, reverse=True)


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


def overlaps(sets: list[set[str]]) -> np.ndarray:
    """The number of common elements of each two sets, int [n, n]."""
    column: dict[str, int] = {}
    places = [(row, column.setdefault(one, len(column))) for row, each in enumerate(sets) for one in each]
    at = np.array(places, dtype=np.int64).reshape(-1, 2).T
    ones, shape = np.ones(at.shape[1], dtype=np.int64), (len(sets), len(column))
    table: Any = sparse.csr_array((ones, tuple(at)), shape=shape)  # [n, elements]
    return (table @ table.T).toarray()


def shares(overlap: np.ndarray) -> np.ndarray:
    """The likeness of each two sets, from their overlaps: Tversky's index."""
    sizes = overlap.diagonal()
    shorter, longer = np.minimum.outer(sizes, sizes), np.maximum.outer(sizes, sizes)
    return overlap / np.maximum(1, SHORTER * shorter + (1 - SHORTER) * longer)
