"""How many gradings fit into this machine's memory side by side."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from grader.sandbox.limits import hierarchies
from labsupport import models, settings

BASE = 5 * 2**29  # bytes: interpreters, torch, texts, activations, and the figures that a notebook keeps
COPIES = 4  # of the course model: the judge's, the student's, and what each makes of them


def need() -> int:
    """Bytes that one grading may take, judging process and sandbox together: an estimate from above.

    4.5 GiB on the embedded model; its lab 02 was seen to take 4.3 GiB, 04 2.9 GiB, 06 3.5 GiB.
    """
    name = settings.current().model
    if name in models.SHAPES:
        weights = sum(weight.numel() for weight in models.shape(name).parameters())
        return BASE + COPIES * weights * settings.current().dtype.itemsize
    return BASE + COPIES * sum(path.stat().st_size for path in Path(name).glob("*.safetensors"))


def fitting(workers: int) -> int:
    """How many of these workers there is memory for now: one at least, each further one when it fits too."""
    free, each, count = available(), need(), 1
    while count < workers and (count + 1) * each <= free:
        count += 1
    return count


def available(system: Path = Path("/")) -> int:
    """Bytes that new processes may take: of the machine, and of each control group around this one."""
    words = (system / "proc/meminfo").read_text().split()
    rooms = [int(words[words.index("MemAvailable:") + 1]) * 1024]
    for folder in _groups(system):
        for names in (
            ("memory.max", "memory.current", "inactive_file"),  # version 2
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),  # version 1
        ):
            with contextlib.suppress(OSError, ValueError, KeyError):  # "max" is no number: no limit
                limit, used = (int((folder / name).read_text()) for name in names[:2])
                lines = (folder / "memory.stat").read_text().splitlines()
                rooms.append(limit - used + int(dict(line.split() for line in lines)[names[2]]))
    return max(0, min(rooms))


def _groups(system: Path) -> Iterator[Path]:
    """This process's memory groups, own one first, up to where they are mounted."""
    for _, controllers, mount, here in hierarchies(system):
        if controllers & {"memory", ""}:
            yield from (folder for folder in (here, *here.parents) if folder.is_relative_to(mount))
