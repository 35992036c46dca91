"""The comparison of a class with itself: ten times as many students against fewer.

Every student has a right or wrong answer of the bank to each exercise, and few have the same three. What
else an answer of the bank calls is left out, because nothing is run.
"""

import ast
import os
import tempfile
import time
from itertools import pairwise, product
from pathlib import Path

from benchmarks.measure import fresh
from benchmarks.submissions import ANSWERS, LAB, answered, hand_in, signed, with_answers
from benchmarks.table import Row, megabytes, seconds

SIZES = (50, 500)
EXERCISES = ("magnitude_mask", "prune_magnitude", "global_magnitude_masks")
STEP = 37  # through the list of all threes, so that neighbours differ in more than one answer


def run(sizes: tuple[int, ...] = SIZES) -> tuple[list[Row], list[str]]:
    """CPU seconds and peak memory of all pairs of a class; 500 are to take a minute."""
    found = {size: _class(size) for size in sizes}
    rows = []
    for smaller, larger in pairwise(sizes):
        less, more = found[smaller], found[larger]
        name, times = f"likeness, {larger} students against {smaller}", (less["seconds"], more["seconds"])
        goal = f"<= {larger // smaller}"
        rows.append(Row(f"{name}: CPU time", *map(seconds, times), ratio=times[1] / times[0], goal=goal))
        peaks = [one["peak"] for one in (less, more)]
        rows.append(Row(f"{name}: peak memory", *map(megabytes, peaks), ratio=peaks[1] / peaks[0]))
    pairs = ", ".join(f"{each['pairs']} of {size}" for size, each in found.items())
    return rows, [f"Pairs that likeness shows (answers of the bank vary a few lines): {pairs}."]


def _class(size: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        fresh("ours:release", folder=folder)
        hand_in(Path(folder), {f"s{n:04d}": data for n, data in enumerate(students(size))})
        return fresh("likeness:compare", folder=folder)


def students(size: int) -> list[bytes]:
    """So many notebooks of lab 02, from the answers of the bank."""
    threes = list(product(*map(written, EXERCISES)))
    chosen = (threes[n * STEP % len(threes)] for n in range(size))
    return [_notebook(three, n).encode() for n, three in enumerate(chosen)]


def written(exercise: str) -> list[str]:
    """The bank's functions for an exercise, each under the exercise's name."""
    text = (ANSWERS / f"{exercise}.py").read_text("utf-8")
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    sources = [(node.name, ast.get_source_segment(text, node) or "") for node in functions]
    return [source.replace(f"def {name}(", f"def {exercise}(", 1) for name, source in sources]


def _notebook(three: tuple[str, ...], number: int) -> str:
    notebook = answered(with_answers(), dict(zip(EXERCISES, three, strict=True)))
    return signed(notebook, f"student {number}")


def compare(folder: str) -> dict:
    """What `report` does to say who is alike."""
    os.environ["PRUNING_LABS_COURSE"] = folder
    from benchmarks.job import high_water
    from grader.results.similarity.likeness import likeness

    started = time.process_time()
    found = likeness(LAB)
    used = time.process_time() - started
    return {"seconds": used, "pairs": len(found.pairs) + found.more, "peak": high_water()}
