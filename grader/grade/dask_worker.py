"""The code that a Dask worker runs: grades one submission if code, sizes and device are as expected."""

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

NAMES = ("PRUNING_LABS_MODEL", "PRUNING_LABS_TEXT")  # set by the instructor's environment
DEVICE = "PRUNING_LABS_DEVICE"  # set by `--device`; otherwise each worker has its own
_alone = threading.Lock()  # judges share models: one submission at a time per worker process


def call(name: str, packed: bytes) -> bytes:
    """Call a function of this file by name; arguments and result are pickled bytes."""
    return pickle.dumps(globals()[name](*pickle.loads(packed)))


@dataclass(frozen=True)
class Circumstances:
    """The inputs of a verdict besides the task; they must be equal on all workers of a class."""

    code: str  # the digest of the judging code
    sizes: str  # model, text, windows
    device: str  # "cpu" or "cuda"


def grade_there(task: Task, names: dict[str, str], expected: Circumstances) -> Record:
    """Grade on a worker. Raises LabError if its circumstances differ from the expected ones."""
    with _alone:
        here = circumstances(names)
        if here.code != expected.code:
            raise LabError(
                f"The worker on {platform.node()} has another labsupport or grader, or another torch or "
                "transformers, than this machine: install the same version there, restart the worker, "
                "and run the same command again."
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
    """The circumstances of this process with these environment variables for model, text and device."""
    for name in NAMES:
        os.environ.pop(name, None)
    os.environ.update(names)
    return Circumstances(version.code(), str(settings.current()), settings.device().type)
