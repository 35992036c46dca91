"""The number of gradings that fit into this machine's memory in parallel."""

from pathlib import Path

from labsupport import models, settings
from labsupport.control_groups import available

BASE = 5 * 2**29  # bytes: interpreters, torch, texts, activations, and the figures of a notebook
COPIES = 4  # copies of the course model: one each of judge and student, and one pruned copy each


def need() -> int:
    """An upper estimate of the bytes for one grading, judging process and sandbox together.

    4.5 GiB for the embedded model; measured: lab 02 4.3 GiB, lab 04 2.9 GiB, lab 06 3.5 GiB.
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
