"""What one submission may take, and what holds it to that: control groups, else rlimits.

A limit that nothing on this machine can hold is returned as a sentence, never dropped.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from grader.sandbox.devices import GPU
from labsupport import waits

PREFIX = "pruning-labs"
JOIN = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 97; shift; done; shift; exec "$@"'


@dataclass(frozen=True)
class Limits:
    """What a notebook may take: seconds, bytes, counts. The defaults suit a lab on a CPU."""

    cell_seconds: float = waits.GRADED
    total_seconds: float = 1800
    memory: int = 6 * 2**30
    processes: int = 256  # threads count too
    output: int = 20 * 2**20  # bytes of output kept, figures included
    files: int = 2**30  # the size of the disk it sees, which is memory


@dataclass(frozen=True)
class Groups:
    """The control groups of one submission, by controller: "memory" and "pids", as far as they exist."""

    folders: dict[str, Path] = field(default_factory=dict)

    def join(self, command: list[str]) -> list[str]:
        """The command, started inside these groups."""
        places = [str(folder) for folder in sorted(set(self.folders.values()))]
        return ["/bin/sh", "-c", JOIN, "join", *places, "--", *command]

    def out_of_memory(self) -> bool:
        """Whether the kernel has killed a process of this submission at its memory limit."""
        if "memory" not in self.folders:
            return False
        for name in ("memory.events", "memory.oom_control"):  # version 2, version 1
            with contextlib.suppress(OSError):
                words = (self.folders["memory"] / name).read_text().split()
                return int(dict(zip(words[::2], words[1::2], strict=True))["oom_kill"]) > 0
        return False

    def processes(self) -> set[int]:
        """Every process that is in one of the groups now."""
        found = set()
        for folder in self.folders.values():
            with contextlib.suppress(OSError):
                found |= {int(pid) for pid in (folder / "cgroup.procs").read_text().split()}
        return found - {0}  # 0: somebody else's, and to kill() it would mean ourselves

    def kill(self, seconds: float = 10) -> None:
        """Kill until nobody is left."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)


@contextlib.contextmanager
def groups(limits: Limits, system: Path = Path("/")) -> Iterator[Groups]:
    """Control groups with these limits, made below our own, emptied and removed at the end."""
    wanted = {
        "memory": {
            1: {"memory.limit_in_bytes": limits.memory, "memory.memsw.limit_in_bytes": limits.memory},
            2: {"memory.max": limits.memory, "memory.swap.max": 0},
        },
        "pids": {1: {"pids.max": limits.processes}, 2: {"pids.max": limits.processes}},
    }
    made: dict[tuple[int, Path], Path] = {}
    found = Groups()
    try:
        for controller, settings in wanted.items():
            for version, parent in parents(controller, system):
                if version == 2 and any(v == 2 and p != parent for v, p in made):
                    continue  # a process is in one group of version 2 only
                if folder := _limited(made, version, parent, settings[version]):
                    found.folders[controller] = folder
                    break
        yield found
    finally:
        found.kill()
        for folder in made.values():
            _remove(folder)


def _limited(made: dict, version: int, parent: Path, settings: dict[str, int]) -> Path | None:
    """A group below `parent` with these settings, or None when this user may not."""
    try:
        if (version, parent) not in made:
            _sweep(parent)
            made[version, parent] = Path(tempfile.mkdtemp(prefix=f"{PREFIX}-{os.getpid()}-", dir=parent))
        folder = made[version, parent]
        for name, value in settings.items():
            if "sw" in name and not (folder / name).exists():
                continue  # this kernel counts no swap
            (folder / name).write_text(str(value))
    except OSError:
        return None
    entry = subprocess.run(Groups({"": folder}).join(["true"]), capture_output=True)
    return folder if entry.returncode == 0 else None


def parents(controller: str, system: Path) -> Iterator[tuple[int, Path]]:
    """Where groups with this controller might be made, as (version, folder), the likeliest first."""
    for version, controllers, mount, here in hierarchies(system):
        if version == 1 and controller in controllers:
            yield 1, here
            yield 1, mount
        elif version == 2:
            for folder in (here, *here.parents):
                with contextlib.suppress(OSError):
                    if controller in (folder / "cgroup.subtree_control").read_text().split():
                        yield 2, folder
                if folder == mount:
                    break


def hierarchies(system: Path) -> Iterator[tuple[int, set[str], Path, Path]]:
    """The mounted hierarchies of control groups: version, controllers, mount point, this process's group.

    In version 2 there is one for all controllers, and the set is {""}.
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


def _sweep(parent: Path) -> None:
    """Empty and remove the groups that a killed grader left behind."""
    for folder in parent.glob(f"{PREFIX}-*-*"):
        if not Path("/proc", folder.name.split("-")[2]).exists():
            Groups({"": folder}).kill(1)
            with contextlib.suppress(OSError):
                folder.rmdir()


def _remove(folder: Path, tries: int = 100) -> None:
    for _ in range(tries):  # a group stays busy for a moment after its last process
        try:
            folder.rmdir()
            return
        except OSError:
            time.sleep(0.01)


def fallbacks(limits: Limits, groups: Groups, isolated: bool) -> tuple[dict[str, int], tuple[str, ...]]:
    """The rlimits that stand in where a control group is missing, and what nothing holds."""
    rlimits, unenforced = {"RLIMIT_CORE": 0}, []
    if not isolated:
        unenforced.append(
            "Without a sandbox (--isolation none) the submission can reach the network, "
            "this user's files and other submissions."
        )
        rlimits["RLIMIT_FSIZE"] = limits.files
        unenforced.append("Only the size of each file is limited, not of all its files, without a sandbox.")
    if "memory" not in groups.folders and GPU.exists():
        unenforced.append(
            "Memory is not limited: no memory cgroup is writable, and a GPU rules out RLIMIT_AS."
        )
    elif "memory" not in groups.folders:
        rlimits["RLIMIT_AS"] = limits.memory
        unenforced.append(
            "Memory is limited for each process, not for all together: no memory cgroup is writable."
        )
    if "pids" not in groups.folders:
        if isolated and os.geteuid() != 0:
            rlimits["RLIMIT_NPROC"] = limits.processes  # counted within the sandbox's own user namespace
        else:
            unenforced.append("The number of processes is not limited: no pids cgroup is writable.")
    return rlimits, tuple(unenforced)
