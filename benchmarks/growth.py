"""(b) What a submission costs as the class grows, on an exercise that needs no course model; (e) memory."""

from itertools import pairwise

from benchmarks.classes import breakdown, once_ours
from benchmarks.submissions import without_course_model
from benchmarks.table import Row, megabytes
from labsupport.errors import LabError

SIZES = (10, 100, 1000)
CELL_SECONDS = 120
POINTS = 5.0  # of magnitude_mask


def run(sizes: tuple[int, ...] = SIZES) -> tuple[list[Row], list[str]]:
    """Seconds a submission, each size against the one before."""
    found = {size: grade(size) for size in sizes}
    rows = []
    for smaller, larger in pairwise(sizes):
        each = [found[size]["wall"] / size for size in (smaller, larger)]
        peaks = [found[size]["peak"] for size in (smaller, larger)]
        what = f"a class of {larger} against one of {smaller}"
        costs = [f"{cost:.2f} s each" for cost in each]
        rows.append(Row(f"{what}: time", *costs, ratio=each[1] / each[0], goal="<= 1"))
        rows.append(Row(f"{what}: peak memory", *map(megabytes, peaks), ratio=peaks[1] / peaks[0]))
    return rows, [f"Seconds a submission, {size} of them: {breakdown(found[size], size)}." for size in sizes]


def grade(size: int) -> dict:
    """A class of this size, warm; every submission is graded and earns its points."""
    result = once_ours({f"student-{n:04d}": without_course_model(n) for n in range(size)}, CELL_SECONDS)
    if result["scores"] != [POINTS] * size:
        got = result["scores"].count(POINTS)
        raise LabError(f"Of {size} submissions {got} got their {POINTS:g} points.")
    return result
