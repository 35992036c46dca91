"""The number of gradings that fit into this machine's memory in parallel."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from grader.sandbox.limits import hierarchies
from labsupport import models, settings

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


def available(system: Path = Path("/")) -> int:
    """Bytes available to new processes, on the machine and in all control groups of this process."""
    words = (system / "proc/meminfo").read_text().split()
    rooms = [int(words[words.index("MemAvailable:") + 1]) * 1024]
    for folder in _groups(system):
        for names in (
            ("memory.max", "memory.current", "inactive_file"),  # version 2
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),  # version 1
        ):
            with contextlib.suppress(OSError, ValueError, KeyError):  # "max" is not a number: no limit
                limit, used = (int((folder / name).read_text()) for name in names[:2])
                lines = (folder / "memory.stat").read_text().splitlines()
                rooms.append(limit - used + int(dict(line.split() for line in lines)[names[2]]))
    return max(0, min(rooms))


def _groups(system: Path) -> Iterator[Path]:
    """The memory control groups of this process, from its own one up to the mount point."""
    for _, controllers, mount, here in hierarchies(system):
        if controllers & {"memory", ""}:
            yield from (folder for folder in (here, *here.parents) if folder.is_relative_to(mount))
