"""Runs the hidden cases of an exercise on a function of a Python file, without a notebook."""

import sys
import tempfile
from pathlib import Path

from grader import course
from grader.grade.examiner import Examiner
from grader.intake.parse import shown
from grader.sandbox.run import Limits, run_command
from grader.status import Status
from labsupport import machine, waits
from labsupport.check.ask.function import CANNOT
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.exercise import unanswered
from labsupport.check.judge.kit.verdict import Ending, Verdict
from labsupport.errors import LabError

LIMITS = Limits(cell_seconds=waits.TRIED)


def attempt(name: str, path: Path, isolation: str = "bwrap") -> Verdict:
    """The verdict on function `name` of a file. Raises LabError when the function cannot be run."""
    if name not in EXERCISES:
        raise LabError(f"There is no exercise called '{name}'. Known: {', '.join(EXERCISES)}.")
    exercise = EXERCISES[name]
    try:
        source = path.read_bytes()
    except OSError as problem:
        raise LabError(f"{path} cannot be read: {problem.strerror}.") from problem
    lab = EXERCISES.lab(name)
    with (
        tempfile.TemporaryDirectory() as folder,
        Examiner(Path(folder, "socket"), course.seed(), lab) as examiner,
    ):
        command = [sys.executable, "-m", "labsupport.check.ask.function", name, "answers.py"]
        files = {"answers.py": source}
        outcome = run_command(command, files, examiner.path, LIMITS, isolation, lab, machine.here())
    if examiner.fault:
        raise LabError(f"The grader failed, not the function: {examiner.fault!r}") from examiner.fault
    if name in examiner.verdicts:
        verdict = examiner.verdicts[name]
        if verdict.status == Ending.FAULT:
            raise LabError(f"The grader failed, not the function: {verdict.mistake}.")
        return verdict
    if outcome.status != Status.FINISHED:
        return unanswered(exercise, outcome.reason)
    said = outcome.output.strip().splitlines()
    if outcome.returncode == CANNOT and said:
        raise LabError(shown(said[-1], 500).replace("answers.py", str(path)))
    return unanswered(exercise, "the process ended before it answered")
