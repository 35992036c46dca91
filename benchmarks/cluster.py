"""Four Dask workers in four networks, one killed and one slowed, against one; and what a deadline takes.

The students' code sleeps: the machine has fewer cores than workers, and what is measured is the grader.
"""

import heapq
import statistics
import tempfile
import threading
import time
from pathlib import Path

import nbformat

from benchmarks.classes import released
from benchmarks.measure import fresh
from benchmarks.networks import busy, cluster, lacking, until
from benchmarks.submissions import LAB, hand_in, mixed, without_course_model
from benchmarks.table import Row
from labsupport.errors import LabError

WORKERS, EACH, SLEEP = 4, 8, 20  # workers, submissions a worker, seconds that each sleeps
CLASS, HOUR, LATE = 10_000, 3600, 600  # submissions in the hour before a deadline, and seconds to grade on
SAMPLE = 8  # submissions of a mixed class, for the seconds that one takes


def run(each: int = EACH, sleep: int = SLEEP) -> tuple[list[Row], list[str]]:
    """Submissions an hour of both, and the workers that a large class takes before a deadline."""
    if said := lacking():
        return [], [f"A cluster was not measured. {said}"]
    alone = graded(1, each, sleep)
    four = graded(WORKERS, WORKERS * each, sleep, slow=1, kill=True)
    hourly = [each * HOUR / alone["wall"], WORKERS * each * HOUR / four["wall"]]
    what = f"{WORKERS} Dask workers in {WORKERS} networks, one killed, one slowed, against one: throughput"
    rates = [f"{rate:,.0f} an hour" for rate in hourly]
    rows = [Row(what, *rates, ratio=hourly[1] / hourly[0], goal=">= 3")]
    writer, (seconds, spread) = four["writer"], sample()
    workers = needed(seconds, writer)
    about = (
        f"On a cluster, each of {WORKERS * each} submissions sleeps {sleep} s. The one process that sends "
        f"work and writes records takes {writer:.2f} CPU seconds a submission, so it ends at "
        f"{HOUR / writer:,.0f} an hour. Simulated: {CLASS:,} submissions of {LAB} in the hour before a "
        f"deadline, more of them the later it is, {seconds:.1f} s each on a core ({SAMPLE} measured, "
        f"{spread}), are all graded {LATE // 60} minutes after it by {workers} workers."
    )
    return rows, [about]


def graded(workers: int, count: int, sleep: int, slow: int = 0, kill: bool = False) -> dict:
    """Seconds for a class on so many workers, all warm; one is killed while a submission sleeps on it."""
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder), workers, slow) as (address, started):
        course = Path(folder, "course")
        released(fresh("ours:release", folder=str(course)))
        hand_in(course, {f"warm-{n}": sleeping(n, 5) for n in range(2 * workers)})
        first = fresh("cluster:grade", folder=str(course), address=address)
        hand_in(course, {f"s{n:03d}": sleeping(n, sleep) for n in range(count)})
        if kill:
            threading.Thread(target=killed, args=(started[-1].pid,), daemon=True).start()
        found = fresh("cluster:grade", folder=str(course), address=address)
        if (right := found["graded"]) != count + 2 * workers:
            raise LabError(f"Of {count + 2 * workers} submissions {right} were graded.")
        more = found["cpu"] - first["cpu"]  # both start an interpreter and load what they need
        return {"wall": found["seconds"], "writer": more / max(1, count - 2 * workers)}


def sleeping(number: int, seconds: int) -> bytes:
    """A submission that sleeps in its first cell and answers without a model."""
    notebook = nbformat.reads(without_course_model(number).decode(), as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source += f"\nimport time\ntime.sleep({seconds})  # {number}"
    return nbformat.writes(notebook).encode()


def grade(folder: str, address: str) -> dict:
    """`python -m grader grade --scheduler` in that course: seconds, CPU seconds here, who was graded."""
    from benchmarks.ours import command
    from grader.grade import journal
    from grader.status import Status

    started, before = time.monotonic(), time.process_time()
    if command(folder, "grade", LAB, "--scheduler", address):
        raise LabError("Not everybody was graded.")
    spent = {"seconds": time.monotonic() - started, "cpu": time.process_time() - before}
    return spent | {"graded": sum(record.status == Status.GRADED for record in journal.records(LAB))}


def killed(nanny: int) -> None:
    """Kill the worker below a nanny as soon as it has a sandbox."""
    until(lambda: busy(nanny), "The worker gets no work").kill()


def sample() -> tuple[float, str]:
    """The seconds that one submission of a mixed class takes on a warm worker, and their spread."""
    with tempfile.TemporaryDirectory() as folder:
        hand_in(Path(folder), mixed(SAMPLE))
        released(fresh("ours:release", folder=folder))
        taken = fresh("ours:grade", folder=folder, seconds=120)["each"]  # a worker for each core
    return statistics.mean(taken), f"{min(taken):.1f} to {max(taken):.1f} s"


def needed(seconds: float, writer: float) -> int:
    """The least number of workers by which a class is graded in time; raises LabError if no number does."""
    least, most = 1, CLASS
    if simulated(most, seconds, writer) > HOUR + LATE:
        raise LabError(f"One writer at {writer:.2f} s a submission does not end in time.")
    while least < most:
        middle = (least + most) // 2
        if simulated(middle, seconds, writer) > HOUR + LATE:
            least = middle + 1
        else:
            most = middle
    return least


def simulated(workers: int, seconds: float, writer: float, count: int = CLASS) -> float:
    """When the last record is written, in seconds from the first hour's start.

    Submission k of n arrives after sqrt(k / n) of the hour. Each goes to the first free worker, and its
    record to the one writer.
    """
    free, written = [0.0] * workers, 0.0
    for number in range(count):
        arrives = HOUR * (number / count) ** 0.5
        ends = max(heapq.heappop(free), arrives) + seconds
        heapq.heappush(free, ends)
        written = max(written, ends) + writer
    return written
