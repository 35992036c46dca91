"""Grades one submission: from its bytes to its record, without a shared disk."""

import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import nbformat
from msgspec.structs import asdict, replace

from grader import course
from grader.author.source import CHECK
from grader.grade import diagnosis, ends, experiments, version
from grader.grade.examiner import Examiner
from grader.grade.journal import Earlier, Judged, Record
from grader.grade.runnable import as_submitted, runnable
from grader.grade.sanitize import inert, text_output
from grader.grade.taken import lent, taken
from grader.intake import admit
from grader.intake.submitted import Submission
from grader.sandbox import zygote_client
from grader.sandbox.run import DEFAULTS, Limits, run_notebook
from grader.status import Status
from labsupport import console, machine
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit import memo
from labsupport.check.judge.kit.exercise import unanswered
from labsupport.check.judge.kit.verdict import Ending, Verdict
from labsupport.errors import LabError
from labsupport.memory import give_back


@dataclass(frozen=True)
class Task:
    """A submission with all data for grading it."""

    submission: Submission
    released: str  # the release notebook
    course_seed: int
    version: str
    limits: Limits = DEFAULTS
    isolation: str = "bwrap"
    cold: bool = False  # start a new Python instead of a fork of the zygote
    all_cells: bool = False  # run the lab's own experiments, too


def grade(task: Task) -> Record:
    """The record of one submission. A fault of the grader ends as GRADER_ERROR, never as a score."""
    record, started = begun(task), time.monotonic()
    try:
        _grade(task, record)
    except LabError:
        raise  # this machine cannot grade any submission
    except Exception as fault:
        record.status = Status.GRADER_ERROR
        record.reason = f"The grader failed: {type(fault).__name__}: {fault}"
        record.verdicts, record.notebook = {}, ""
    record.seconds = time.monotonic() - started
    give_back()
    return record


def begun(task: Task) -> Record:
    """A record of a submission without a result."""
    given = task.submission
    return Record(
        given.student, given.lab, given.digest, task.version, given.status, given.reason,
        submitted_at=given.submitted_at, graded_at=datetime.now(UTC).isoformat(timespec="seconds"),
        flags=list(given.flags), collected=list(given.collected),
    )  # fmt: skip


def set_aside(task: Task, times: int) -> Record:
    """The record of a submission whose grading ended its process so many times."""
    given, record = task.submission, begun(task)
    often = "twice" if times == 2 else f"{times} times"
    record.status = Status.SET_ASIDE
    record.reason = (
        f"It ended the grader's process {often}: look at the notebook by hand; `python -m grader grade "
        f"{given.lab} --student {given.student}` tries it again."
    )
    return record


def _grade(task: Task, record: Record) -> None:
    given, clock = task.submission, time.monotonic()
    if given.raw is None:
        return
    released = nbformat.reads(task.released, as_version=4)
    admitted = admit.admit(given.raw, released)
    record.phases["intake"] = time.monotonic() - clock
    if isinstance(admitted, admit.Refused):
        record.status, record.reason = admitted.status, admitted.reason
        return
    record.flags += admitted.flags
    memo.folder, memo.version = course.folder() / "references", version.code()
    number = course.number(given.lab)
    if task.isolation == "bwrap" and not task.cold:
        zygote_client.zygote.ready(number)
    spared = [] if task.all_cells else experiments.spared(admitted.notebook, released)
    notebook = nbformat.writes(runnable(admitted.notebook, released, spared)).encode()
    points = check_points(released)
    takes = taken(admitted.notebook, list(points))
    held = lent(takes, points)
    with (
        tempfile.TemporaryDirectory() as folder,
        Examiner(Path(folder, "socket"), task.course_seed, number, takes) as examiner,
    ):
        clock = time.monotonic()
        outcome = run_notebook(
            notebook, examiner.path, task.limits, task.isolation, task.cold, number, held, machine.here()
        )
        seconds = time.monotonic() - clock
    record.phases |= {
        "start": outcome.start, "judging": examiner.seconds,
        "code": seconds - outcome.start - examiner.seconds,
    }  # fmt: skip
    record.shared = examiner.shared
    if examiner.fault:
        raise examiner.fault
    if outcome.status == Status.GRADER_ERROR:
        record.status, record.reason = Status.GRADER_ERROR, outcome.reason
        return
    ended = outcome.status == Status.FINISHED
    record.status, record.reason = (Status.GRADED, "") if ended else (outcome.status, outcome.reason)
    record.cell, record.unenforced = outcome.cell, list(outcome.unenforced)
    executed = admitted.notebook
    if outcome.notebook:
        executed = as_submitted(nbformat.reads(outcome.notebook.decode(), as_version=4), admitted.notebook)
    experiments.note(executed, spared, given.raw, admitted.numbers)
    record.reason += whereabouts(record.cell, executed, admitted.numbers)
    for name in points:
        verdict = examiner.verdicts.get(name) or not_asked(name, record, executed)
        record.verdicts[name] = judged(verdict, points[name], given.digest)
    if faults := sentence_on_faults(record):
        record.reason = " ".join(filter(None, (record.reason, faults)))
        record.status = Status.PARTLY_GRADED if ended else record.status
    if examiner.strained:
        record.status, record.strained = Status.OUT_OF_MEMORY, examiner.strained
        record.reason = (
            f"The GPU failed in {examiner.strained}. That is no mistake of the student's, and the points are "
            "open: the same command asks again, `--workers 1` leaves it the whole card."
        )
    explain(record, executed, admitted.numbers)
    record.notebook = nbformat.writes(annotated(inert(executed, released), record))


def sentence_on_faults(record: Record) -> str:
    """A sentence for the instructor on the exercises whose judge failed; "" if there are none."""
    failed = [verdict for verdict in record.verdicts.values() if verdict.status == Ending.FAULT]
    if not failed:
        return ""
    said = "; ".join(f"{verdict.exercise}, {verdict.mistake}" for verdict in failed)
    return f"Not judged: {said}. Grade again after the judge is repaired, or give these points by hand."


def whereabouts(name: str, executed: nbformat.NotebookNode, numbers: tuple[int, ...]) -> str:
    """A sentence on the place of the cell that ended the run, unless its name says it; or ""."""
    index = next((i for i, cell in enumerate(executed.cells) if cell.id == name), None)
    if index is None or "nbgrader" in executed.cells[index].metadata:
        return ""
    return f" It is {ends.place(executed, numbers, index)}."


def explain(record: Record, executed: nbformat.NotebookNode, numbers: tuple[int, ...]) -> None:
    """Name the cells that stopped checks, in the verdicts and, where no answer came, in a flag."""
    for name, verdict in record.verdicts.items():
        stop = diagnosis.of(executed, numbers, name, verdict)
        if stop:
            record.verdicts[name] = replace(verdict, stop=stop)
        if stop and verdict.status == Ending.UNASKED:
            record.flags.append(f"Check {verdict.number} sent no answer. {stop.sentence()}")


def check_points(released: nbformat.NotebookNode) -> dict[str, float]:
    """The points of every exercise of a lab, by the exercise's name."""
    marks = [cell.metadata["nbgrader"] for cell in released.cells if "nbgrader" in cell.metadata]
    return {
        mark["grade_id"].removeprefix(CHECK): float(mark["points"])
        for mark in marks
        if mark["grade"] and mark["grade_id"].startswith(CHECK)
    }


def not_asked(name: str, record: Record, executed: nbformat.NotebookNode) -> Verdict:
    """The verdict on an exercise whose check cell sent no request."""
    ran = diagnosis.ran(executed, name)
    why = "its check sent no answer" if ran or not record.reason else f"not reached: {record.reason}"
    return unanswered(EXERCISES[name], why, Ending.UNASKED)


def judged(verdict: Verdict, points: float, submission: str) -> Judged:
    """A verdict for the record; its share is forced to be finite and from 0 to 1."""
    share = min(max(verdict.share, 0.0), 1.0) if verdict.share == verdict.share else 0.0
    return Judged(**asdict(replace(verdict, share=share)), points=points, submission=submission)


def annotated(notebook: nbformat.NotebookNode, record: Record) -> nbformat.NotebookNode:
    """The notebook with the judge's messages as outputs of the check cells, and the status on top."""
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if grade_id.startswith(CHECK):
            message = record.verdicts[grade_id.removeprefix(CHECK)].message()
            cell.outputs = [text_output(console.printable(message))]
    lines = [f"{record.status}: {record.reason}"] if record.reason else []
    lines += record.flags
    if lines:
        top = nbformat.v4.new_code_cell("# From the grader", id="from-the-grader")
        top.outputs = [text_output("\n".join(lines))]
        notebook.cells.insert(0, top)
    return notebook


def continued(record: Record, before: Record | None) -> Record:
    """The record with summaries of the student's earlier submissions, and a known time of the same one."""
    if before is None:
        return record
    record.earlier = [*before.earlier]
    if before.submission == record.submission:
        record.submitted_at = record.submitted_at or before.submitted_at
        record.why = before.why
    else:
        record.earlier.append(
            Earlier(
                submission=before.submission,
                status=before.status,
                graded_at=before.graded_at,
                submitted_at=before.submitted_at,
                score=before.score(),
                points=before.points(),
            )
        )
    return record
