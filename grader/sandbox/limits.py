"""The resource limits of one submission, enforced by control groups, or else by rlimits.

A limit that cannot be enforced on this machine is reported as a sentence, never ignored.
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

from grader.sandbox import devices
from labsupport import waits
from labsupport.control_groups import hierarchies

PREFIX = "pruning-labs"
JOIN = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 97; shift; done; shift; exec "$@"'


@dataclass(frozen=True)
class Limits:
    """The limits of a notebook in seconds, bytes and counts. The defaults suit a lab on a CPU."""

    cell_seconds: float = waits.GRADED
    total_seconds: float = 1800
    memory: int = 6 * 2**30
    processes: int = 256  # including threads
    output: int = 20 * 2**20  # bytes of output kept, figures included
    files: int = 2**30  # size of the tmpfs, in memory


@dataclass(frozen=True)
class Groups:
    """The control groups of one submission, by controller, "memory" and "pids", if available."""

    folders: dict[str, Path] = field(default_factory=dict)

    def join(self, command: list[str]) -> list[str]:
        """The command line that starts a command inside these groups."""
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
        """The pids of all processes in these groups."""
        found = set()
        for folder in self.folders.values():
            with contextlib.suppress(OSError):
                found |= {int(pid) for pid in (folder / "cgroup.procs").read_text().split()}
        return found - {0}  # 0: a process of another namespace; kill(0) would hit our own process group

    def kill(self, seconds: float = 10) -> None:
        """Kill all processes of these groups, repeatedly until none is left."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)


@contextlib.contextmanager
def groups(limits: Limits, system: Path = Path("/")) -> Iterator[Groups]:
    """A context with new control groups with these limits, below our own; its exit removes them."""
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
                    continue  # in version 2, a process is in one group only
                if folder := _limited(made, version, parent, settings[version]):
                    found.folders[controller] = folder
                    break
        yield found
    finally:
        found.kill()
        for folder in made.values():
            _remove(folder)


def _limited(made: dict, version: int, parent: Path, settings: dict[str, int]) -> Path | None:
    """Create a group below `parent` with these settings; None without the permission."""
    try:
        if (version, parent) not in made:
            _sweep(parent)
            made[version, parent] = Path(tempfile.mkdtemp(prefix=f"{PREFIX}-{os.getpid()}-", dir=parent))
        folder = made[version, parent]
        for name, value in settings.items():
            if "sw" in name and not (folder / name).exists():
                continue  # this kernel does not count swap
            (folder / name).write_text(str(value))
    except OSError:
        return None
    entry = subprocess.run(Groups({"": folder}).join(["true"]), capture_output=True)
    return folder if entry.returncode == 0 else None


def parents(controller: str, system: Path) -> Iterator[tuple[int, Path]]:
    """Folders for new groups with this controller, as (version, folder), most promising first."""
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


def _sweep(parent: Path) -> None:
    """Remove groups left by a killed grader, with their processes."""
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


def libraries() -> int:
    """Bytes that this process maps and that are not its data: with torch for CUDA 3 GB, without 0.7."""
    import psutil  # `--help` needs none

    held = psutil.Process().memory_info()
    return held.vms - getattr(held, "data", held.vms)  # Linux alone tells data apart


def fallbacks(limits: Limits, groups: Groups, isolated: bool) -> tuple[dict[str, int], tuple[str, ...]]:
    """The rlimits that replace missing control groups, and sentences on unenforced limits."""
    rlimits, unenforced = {"RLIMIT_CORE": 0}, []
    if not isolated:
        unenforced.append(
            "Without a sandbox (--isolation none) the submission can reach the network, "
            "this user's files and other submissions."
        )
        rlimits["RLIMIT_FSIZE"] = limits.files
        unenforced.append("Only the size of each file is limited, not of all its files, without a sandbox.")
    if "memory" not in groups.folders and devices.used():
        unenforced.append(
            "Memory is not limited: no memory cgroup is writable, and a GPU rules out RLIMIT_AS."
        )
    elif "memory" not in groups.folders:
        rlimits["RLIMIT_DATA"] = limits.memory
        rlimits["RLIMIT_AS"] = limits.memory + libraries()
        unenforced.append(
            "Memory is limited for each process, not for all together: no memory cgroup is writable."
        )
    if "pids" not in groups.folders:
        if isolated and os.geteuid() != 0:
            rlimits["RLIMIT_NPROC"] = limits.processes  # counted within the sandbox's own user namespace
        else:
            unenforced.append("The number of processes is not limited: no pids cgroup is writable.")
    return rlimits, tuple(unenforced)
