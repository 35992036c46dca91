"""Control groups, by which Linux limits the memory of a container or of a service."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

FILES = (  # of a group: its limit, what it uses, what of that the system takes back in need
    ("memory.max", "memory.current", "inactive_file"),  # version 2
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),  # version 1
)


def memory(system: Path = Path("/")) -> tuple[int, int]:
    """The bytes of memory that this process and its like may have in all, and those that are free.

    They are the least of the machine's and of all its control groups'. Raises OSError on a system without
    /proc.
    """
    words = (system / "proc/meminfo").read_text().split()
    total, free = (int(words[words.index(name) + 1]) * 1024 for name in ("MemTotal:", "MemAvailable:"))
    for folder in _memory_groups(system):
        for limit_file, used_file, cached in FILES:
            with contextlib.suppress(OSError, ValueError, KeyError):  # "max" is not a number: no limit
                limit, used = (int((folder / name).read_text()) for name in (limit_file, used_file))
                total = min(total, limit)
                lines = (folder / "memory.stat").read_text().splitlines()
                free = min(free, limit - used + int(dict(line.split() for line in lines)[cached]))
    return total, max(0, free)


def available(system: Path = Path("/")) -> int:
    """The bytes that are free for new processes, on the machine and in all control groups of this process."""
    return memory(system)[1]


def _memory_groups(system: Path) -> Iterator[Path]:
    """The memory control groups of this process, from its own one up to the mount point."""
    for _, controllers, mount, here in hierarchies(system):
        if controllers & {"memory", ""}:
            yield from (folder for folder in (here, *here.parents) if folder.is_relative_to(mount))


def hierarchies(system: Path) -> Iterator[tuple[int, set[str], Path, Path]]:
    """The mounted hierarchies of control groups: version, controllers, mount point, this process's group.

    Version 2 has one hierarchy for all controllers, with the set {""}.
    """
    own = {}
    for line in (system / "proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        own |= dict.fromkeys(names.split(","), path)
    for line in (system / "proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        root, point = left.split()[3:5]
        kind, _, options = right.split()
        if kind not in ("cgroup", "cgroup2"):
            continue
        controllers = own.keys() & (set(options.split(",")) if kind == "cgroup" else {""})
        if controllers:
            mount, path = system / point.lstrip("/"), own[min(controllers)]
            here = mount / path.removeprefix("" if root == "/" else root).lstrip("/")
            yield 1 if kind == "cgroup" else 2, controllers, mount, here
