"""Errors of a GPU and not of a function: its memory is full, or one of its kernels failed."""

from labsupport import settings
from labsupport.check.ask.answer import Failure
from labsupport.check.judge.kit.exercise import Exercise
from labsupport.check.judge.kit.verdict import Ending, Verdict

FULL = "OutOfMemoryError"
SAY_FULL = ("CUDA error: out of memory", "CUDA driver error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
FAILED = ("CUDA error", "CUDA driver error", "CUBLAS_STATUS", "cuBLAS error", "cuDNN error")


class Strained(Exception):
    """The GPU failed while an exercise was asked or judged; the text is the error."""


def notice(error: Failure | None) -> None:
    """Raise Strained for an answer that is an error of the GPU; on a CPU there are none."""
    if error is not None and _is_strain(error.names, error.text) and settings.device().type == "cuda":
        raise Strained(error.text or error.names[0])


def is_full(problem: Exception) -> bool:
    """Whether an error of a judge says that the memory of the GPU is full."""
    text = str(problem)
    return FULL in _names(problem) or (_is_strain(_names(problem), text) and any(s in text for s in SAY_FULL))


def is_broken(problem: Exception) -> bool:
    """Whether after this error of a judge the process can use its GPU no more."""
    return not is_full(problem) and _is_strain(_names(problem), str(problem))


def _names(problem: Exception) -> list[str]:
    return [kind.__name__ for kind in type(problem).__mro__]


def _is_strain(names: list[str], text: str) -> bool:
    return (
        FULL in names or "AcceleratorError" in names or ("RuntimeError" in names and text.startswith(FAILED))
    )


def not_judged(exercise: Exercise, problem: Exception) -> Verdict:
    """The verdict where the GPU failed: no points are counted, and it is no mistake of the function."""
    text = " ".join(str(problem)[:200].split()).rstrip(".")
    return Verdict(
        exercise=exercise.name, number=exercise.number, status=Ending.FAULT, lines=[], share=0.0,
        cause=f"the GPU failed, and your answer was not judged ({text}). This is no mistake of yours.",
        mistake=f"the GPU failed: {text}",
    )  # fmt: skip
