"""Mounts over parts of /proc, which keep bubblewrap from mounting a new /proc, as in many containers.

The kernel lets a user namespace mount /proc only where the present one is wholly visible. Container
runtimes hide parts of it; nvidia's toolkit mounts over /proc/driver/nvidia. With the right to mount, the
sandbox is made in a mount namespace of its own, where these mounts are taken away first: outside nothing
changes.
"""

import os
import re
from pathlib import Path

UNCOVER = 'while [ "$1" != -- ]; do umount "$1" || exit 98; shift; done; shift; exec "$@"'
EMPTY = ("/proc/sys/fs/binfmt_misc",)  # a mount over an always empty folder hides nothing
COMPLAINTS = ("bwrap:", "unshare:", "umount:")  # beginnings of a failure to make a sandbox


def covers(mounts: Path = Path("/proc/self/mountinfo")) -> list[str]:
    """The mount points over parts of /proc, the last one first."""
    points = [line.split()[4] for line in mounts.read_text().splitlines()]
    points = [re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), point) for point in points]
    return [point for point in reversed(points) if point.startswith("/proc/") and point not in EMPTY]


def uncovering() -> list[str]:
    """The beginning of a command line that runs the rest where nothing covers /proc; empty without need."""
    if os.geteuid() != 0 or not (points := covers()):
        return []
    return ["/usr/bin/env", "unshare", "--mount", "/bin/sh", "-c", UNCOVER, "uncover", *points, "--"]


def advice(said: str) -> str:
    """What to do about a sandbox that cannot be made, from the end of its standard error."""
    said = said.split(":", 1)[-1].strip()
    if points := covers():
        return (
            f"bubblewrap cannot make a sandbox here ({said}): something is mounted over {points[-1]}, and "
            "so no new /proc may be mounted. Container runtimes do so, and nvidia's toolkit over "
            "/proc/driver/nvidia. Grade as root in a container that may mount (docker run --privileged; in "
            "Kubernetes `privileged: true`): each sandbox then takes these mounts away for itself. Or grade "
            "outside the container."
        )
    return (
        f"bubblewrap cannot make a sandbox here ({said}). Allow user namespaces on this "
        "machine, grade as root, or use --isolation none to run submissions unprotected."
    )
