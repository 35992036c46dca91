"""What a Dask worker runs: one submission, graded only where all others would be graded alike."""

import os
import pickle
import platform
import threading
from dataclasses import dataclass

from grader.grade import version
from grader.grade.journal import Record
from grader.grade.submission import Task, grade
from labsupport import settings
from labsupport.errors import LabError

NAMES = ("PRUNING_LABS_MODEL", "PRUNING_LABS_TEXT")  # what an instructor's environment decides
_alone = threading.Lock()  # judges share models: one submission at a time in a worker, whatever its threads


def call(name: str, packed: bytes) -> bytes:
    """A function of this file by its name, its arguments and its result as bytes."""
    return pickle.dumps(globals()[name](*pickle.loads(packed)))


@dataclass(frozen=True)
class Circumstances:
    """What a verdict depends on besides the task, which must be the same wherever a class is graded."""

    code: str  # the digest of the judging code
    sizes: str  # model, text, windows
    device: str  # "cpu" or "cuda"


def grade_there(task: Task, names: dict[str, str], expected: Circumstances) -> Record:
    """Grade on a worker. Raises LabError when this worker would grade otherwise than the others."""
    with _alone:
        here = circumstances(names)
        if here.code != expected.code:
            raise LabError(
                f"The worker on {platform.node()} has another labsupport, grader, torch or transformers than this "
                "machine: install the same versions there, restart the worker, and run the same command again."
            )
        if here != expected:
            raise LabError(
                f"The worker on {platform.node()} computes on {here.device} with {here.sizes}, another on "
                f"{expected.device} with {expected.sizes}: one class needs workers of one kind. "
                "Start those with a GPU with `--resources GPU=1`."
            )
        try:
            return grade(task)
        except LabError as problem:
            raise LabError(f"On the worker {platform.node()}: {problem}") from problem


def circumstances(names: dict[str, str]) -> Circumstances:
    """Those of this process, when model and text are these."""
    for name in NAMES:
        os.environ.pop(name, None)
    os.environ.update(names)
    return Circumstances(version.code(), str(settings.current()), settings.device().type)
