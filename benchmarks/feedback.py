"""From hand-in to a student's page, with `watch`: on an idle grader, and at the end of a queue."""

import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import nbformat

from benchmarks.classes import released
from benchmarks.measure import ROOT, fresh
from benchmarks.submissions import LAB, mixed, signed
from benchmarks.table import Row, seconds
from grader.grade.local_pool import cores
from labsupport import files
from labsupport.errors import LabError

WARM, IDLE, QUEUE = 4, 6, 30  # submissions: before, one after the other, and all at once
GOALS = {"median": 20.0, "95th percentile": 60.0}  # seconds
LOOK, PATIENCE = 0.1, 1800  # seconds between two looks at the pages, and for a page


def run(idle: int = IDLE, queue: int = QUEUE) -> tuple[list[Row], list[str]]:
    """Seconds until the feedback is released, against the goal."""
    with tempfile.TemporaryDirectory() as folder, watching(Path(folder)) as inbound:
        work = [(f"s{n:03d}", text) for n, text in enumerate(various(1 + WARM + idle + queue))]
        waited(inbound, work[:1])  # what loads the model and the sandbox's parent
        waited(inbound, work[1 : 1 + WARM])  # what starts the workers
        alone = [waited(inbound, [one])[0] for one in work[1 + WARM :][:idle]]
        together = sorted(waited(inbound, work[1 + WARM + idle :]))
    last = together[round(0.95 * (len(together) - 1))]
    rows = [
        row(f"first feedback, one of {idle} on an idle grader: median", statistics.median(alone), "median"),
        row(f"first feedback, {queue} handed in at once: 95th percentile", last, "95th percentile"),
    ]
    about = (
        "First feedback is from the copy in the exchange to the page there, of right answers and typical "
        f"mistakes of {LAB} in turn; of {queue} at once the first had its page after {together[0]:.0f} s."
    )
    return rows, [about]


def row(what: str, found: float, which: str) -> Row:
    """A duration against its goal."""
    return Row(what, f"{GOALS[which]:.0f} s (goal)", seconds(found), ratio=found / GOALS[which], goal="<= 1")


def various(count: int) -> Iterator[bytes]:
    """Right and mistaken submissions in turn, no two files equal."""
    texts = [text for student, text in mixed().items() if student.startswith(("right", "wrong"))]
    for number, text in enumerate(islice(cycle(texts), count)):
        yield signed(nbformat.reads(text.decode(), as_version=4), f"number {number}").encode()


@contextmanager
def watching(folder: Path) -> Iterator[Path]:
    """The inbound folder of an exchange that `python -m grader watch` looks at, for a new course."""
    course, inbound = folder / "course", folder / "exchange" / "pruning-labs" / "inbound"
    for place in (course, inbound, inbound.parent / "outbound"):
        place.mkdir(parents=True)
    released(fresh("ours:release", folder=str(course)))
    command = [sys.executable, "-m", "grader", "watch", LAB, str(inbound), "--workers", str(cores())]
    environment = os.environ | {"PRUNING_LABS_COURSE": str(course)}
    watch = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield inbound
    finally:
        watch.terminate()
        watch.wait()


def waited(inbound: Path, work: list[tuple[str, bytes]]) -> list[float]:
    """Hand in the work of these students; the seconds until each page is there."""
    started = time.monotonic()
    for student, text in work:
        place = inbound / f"{student}+{LAB}+{time.strftime('%Y-%m-%d %H:%M:%S')} UTC"
        files.write_whole(place / f"{LAB}.ipynb", text)
        files.write_whole(place / "submission_secret.txt", student.encode())
    pages = {inbound.parent / "feedback" / page(student) for student, _ in work}
    found: list[float] = []
    while pages:
        time.sleep(LOOK)
        if time.monotonic() - started > PATIENCE:
            raise LabError(f"{len(pages)} of {len(work)} pages are not there after {PATIENCE} s.")
        there = {path for path in pages if path.exists()}
        found += [time.monotonic() - started] * len(there)
        pages -= there
    return found


def page(student: str) -> str:
    """The name that nbgrader gives a student's page, from their secret."""
    return hashlib.md5(f"{student}{LAB}".encode()).hexdigest() + ".html"
