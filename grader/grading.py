"""One submission, from its bytes to its record. Runs anywhere: bytes in, record out, no shared disk."""

import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import nbformat

from grader import course, experiments, intake, warm
from grader.examiner import Examiner, not_asked
from grader.inert import inert, text_output
from grader.journal import GRADED, GRADER_ERROR, Record
from grader.sandbox import DEFAULTS, FINISHED, Limits, run_notebook
from labsupport.check import EXERCISES, remember
from labsupport.check.verdict import Verdict
from labsupport.settings import LabError

CHECK = "check_"  # the grade_id of a check cell is this and the exercise's name


@dataclass(frozen=True)
class Submission:
    """What one student handed in; `raw` is None when there is nothing, and `reason` says so."""

    student: str
    lab: str
    digest: str
    raw: bytes | None
    flags: tuple[str, ...] = ()
    status: str = ""
    reason: str = ""
    submitted_at: str = ""


@dataclass(frozen=True)
class Task:
    """A submission and all that grading it needs."""

    submission: Submission
    released: str  # the release notebook
    course_seed: int
    version: str
    limits: Limits = DEFAULTS
    isolation: str = "bwrap"
    cold: bool = False  # start Python afresh, where a fork of the warm parent would do


def grade(task: Task) -> Record:
    """The record of one submission. A fault of the grader ends as GRADER_ERROR, never as a score."""
    given = task.submission
    record = Record(given.student, given.lab, given.digest, task.version, given.status, given.reason)
    record.submitted_at, record.flags = given.submitted_at, list(given.flags)
    record.graded_at = datetime.now(UTC).isoformat(timespec="seconds")
    started = time.monotonic()
    try:
        _grade(task, record)
    except LabError:
        raise  # this machine cannot grade at all: nobody's submission is to blame
    except Exception as fault:
        record.status, record.reason = GRADER_ERROR, f"The grader failed: {type(fault).__name__}: {fault}"
        record.verdicts, record.notebook = {}, ""
    record.seconds = time.monotonic() - started
    return record


def _grade(task: Task, record: Record) -> None:
    given, clock = task.submission, time.monotonic()
    if given.raw is None:
        return
    released = nbformat.reads(task.released, as_version=4)
    admitted = intake.admit(given.raw, released)
    record.phases["intake"] = time.monotonic() - clock
    if isinstance(admitted, intake.Refused):
        record.status, record.reason = admitted.status, admitted.reason
        return
    record.flags += admitted.flags
    remember.folder = course.folder() / "references"
    if task.isolation == "bwrap" and not task.cold:
        warm.parent.ready()
    spared = experiments.spared(admitted.notebook, released)
    notebook = nbformat.writes(experiments.without(admitted.notebook, spared)).encode()
    with (
        tempfile.TemporaryDirectory() as folder,
        Examiner(Path(folder, "socket"), task.course_seed) as examiner,
    ):
        clock = time.monotonic()
        outcome = run_notebook(notebook, examiner.path, task.limits, task.isolation, task.cold)
        seconds = time.monotonic() - clock
    record.phases |= {
        "start": outcome.start, "judging": examiner.seconds,
        "code": seconds - outcome.start - examiner.seconds,
    }  # fmt: skip
    record.shared = examiner.shared
    if examiner.fault:
        raise examiner.fault
    if outcome.status == GRADER_ERROR:
        record.status, record.reason = GRADER_ERROR, outcome.reason
        return
    record.status = GRADED if outcome.status == FINISHED else outcome.status
    record.reason = "" if outcome.status == FINISHED else outcome.reason
    record.cell, record.unenforced = outcome.cell, list(outcome.unenforced)
    points = check_points(released)
    for name in points:
        verdict = examiner.verdicts.get(name) or not_asked(EXERCISES[name], why_not_asked(record))
        record.verdicts[name] = as_dict(verdict, points[name], given.digest)
    executed = (
        nbformat.reads(outcome.notebook.decode(), as_version=4) if outcome.notebook else admitted.notebook
    )
    experiments.put_back(executed, admitted.notebook, spared)
    record.notebook = nbformat.writes(annotated(inert(executed, released), record))


def check_points(released: nbformat.NotebookNode) -> dict[str, float]:
    """The points of every exercise of a lab, by the exercise's name."""
    marks = [cell.metadata["nbgrader"] for cell in released.cells if "nbgrader" in cell.metadata]
    return {
        mark["grade_id"].removeprefix(CHECK): float(mark["points"])
        for mark in marks
        if mark["grade"] and mark["grade_id"].startswith(CHECK)
    }


def why_not_asked(record: Record) -> str:
    if record.status == GRADED:
        return "its check cell ended before it asked: see the cells above it"
    return f"not reached: {record.reason}"


def as_dict(verdict: Verdict, points: float, submission: str) -> dict:
    """A verdict as the record keeps it; its share is capped, finite and from 0 to 1."""
    share = min(max(verdict.share, 0.0), 1.0) if verdict.share == verdict.share else 0.0
    return verdict.as_json() | {"share": share, "points": points, "submission": submission}


def annotated(notebook: nbformat.NotebookNode, record: Record) -> nbformat.NotebookNode:
    """The notebook with the judge's messages as the outputs of the check cells, and the status on top."""
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if grade_id.startswith(CHECK):
            cell.outputs = [text_output(record.verdicts[grade_id.removeprefix(CHECK)]["message"])]
    lines = [f"{record.status}: {record.reason}"] if record.reason else []
    lines += record.flags
    if lines:
        top = nbformat.v4.new_code_cell("# From the grader", id="from-the-grader")
        top.outputs = [text_output("\n".join(lines))]
        notebook.cells.insert(0, top)
    return notebook


def continued(record: Record, before: Record | None) -> Record:
    """The record with the earlier submissions of the same student noted in it."""
    if before is None:
        return record
    history = [*before.earlier]
    if before.submission != record.submission:
        summary = {
            "submission": before.submission, "status": before.status, "graded_at": before.graded_at,
            "submitted_at": before.submitted_at, "score": before.score(), "points": before.points(),
        }  # fmt: skip
        history.append(summary)
    record.earlier = history
    return record
