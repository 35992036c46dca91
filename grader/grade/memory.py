"""The number of gradings that fit into this machine's memory in parallel."""

from pathlib import Path

from labsupport import models, settings
from labsupport.control_groups import available

BASE = 5 * 2**28  # bytes: interpreters, torch, masks, texts, activations, and the figures of a notebook
COPIES = 2  # copies of the course model: the student's, and gradients or slices of it


def need() -> int:
    """An upper estimate of the bytes for one grading, judging process and sandbox together.

    The weights' file is mapped once for all and not counted. 2.3 GiB for the embedded model; measured: lab 02
    1.76 GiB, lab 04 1.72 GiB, lab 05 1.85 GiB, lab 06 2.06 GiB, lab 12 1.98 GiB.
    """
    return BASE + COPIES * weight_bytes()


def weight_bytes() -> int:
    """The bytes of one copy of the course model."""
    name = settings.current().model
    if name in models.SHAPES:
        weights = sum(weight.numel() for weight in models.shape(name).parameters())
        return weights * settings.current().dtype.itemsize
    return sum(path.stat().st_size for path in Path(name).glob("*.safetensors"))


def fitting(workers: int) -> int:
    """The number of workers that fit into the available memory, at least 1 and at most `workers`."""
    free, each, count = available(), need(), 1
    while count < workers and (count + 1) * each <= free:
        count += 1
    return count
