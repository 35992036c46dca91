"""Asks one function of a Python file the hidden cases of its exercise, outside any notebook."""

import sys
import tempfile
from pathlib import Path

from grader import course
from grader.examiner import Examiner, unanswered
from grader.sandbox import FINISHED, Limits, run_command
from labsupport.check import EXERCISES
from labsupport.check.answer import CANNOT
from labsupport.check.verdict import Verdict
from labsupport.settings import LabError

LIMITS = Limits(cell_seconds=240)


def attempt(name: str, path: Path, isolation: str = "bwrap") -> Verdict:
    """The verdict on function `name` of a file. Raises LabError when it could not be asked."""
    if name not in EXERCISES:
        raise LabError(f"There is no exercise called '{name}'. Known: {', '.join(EXERCISES)}.")
    exercise = EXERCISES[name]
    try:
        source = path.read_bytes()
    except OSError as problem:
        raise LabError(f"{path} cannot be read: {problem.strerror}.") from problem
    with tempfile.TemporaryDirectory() as folder, Examiner(Path(folder, "socket"), course.seed()) as examiner:
        command = [sys.executable, "-m", "labsupport.check.answer", name, "answers.py"]
        outcome = run_command(command, {"answers.py": source}, examiner.path, LIMITS, isolation)
    if examiner.fault:
        raise LabError(f"The grader failed, not the function: {examiner.fault!r}") from examiner.fault
    if name in examiner.verdicts:
        return examiner.verdicts[name]
    if outcome.status != FINISHED:
        return unanswered(exercise, outcome.reason)
    if outcome.returncode == CANNOT:
        raise LabError(outcome.output.strip().splitlines()[-1].replace("answers.py", str(path)))
    return unanswered(exercise, "the process ended before it answered")
