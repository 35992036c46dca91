"""The device files of a GPU, and the system files that its driver reads."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

DRIVERS = (
    "/usr/local/nvidia", "/usr/local/cuda", "/run/nvidia", "/usr/lib/wsl", "/etc/nvidia", "/etc/vulkan",
    "/sys/bus/pci", "/sys/devices", "/sys/module", "/sys/class/drm", "/sys/class/infiniband",
)  # fmt: skip
VARIABLES = (
    "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES",
    "CUBLAS_WORKSPACE_CONFIG",
)  # fmt: skip
BOUND = ("/usr/", "/lib/", "/lib32/", "/lib64/", "/run/nvidia/")  # a sandbox has these folders whole


def used() -> bool:
    """Whether submissions compute on a GPU."""
    from labsupport import settings  # torch takes seconds to import, and `--help` needs none

    return settings.device().type == "cuda"


def binds() -> list[str]:
    """The bwrap arguments that bind the GPUs and their driver, WSL's /dev/dxg too; none on a CPU."""
    if not used():
        return []
    arguments = []
    for path in (*sorted(Path("/dev").glob("nvidia*")), Path("/dev/dri"), Path("/dev/dxg")):
        arguments += ["--dev-bind-try", str(path), str(path)]
    for path in (*DRIVERS, *libraries(Path("/proc/self/maps").read_text().splitlines())):
        arguments += ["--ro-bind-try", str(path), str(path)]
    return arguments


def proc() -> list[str]:
    """The bwrap arguments that keep /proc from being written; with a GPU all but what belongs to processes.

    CUDA's driver writes the names of its threads to /proc/self/task/*/comm, and gives up where it cannot:
    error 304, "OS call failed".
    """
    if not used():
        return ["--remount-ro", "/proc"]
    arguments = []
    for path in sorted(Path("/proc").iterdir()):
        if not path.name.isdigit() and _writable(path.lstat().st_mode):
            arguments += ["--ro-bind", str(path), str(path)]
    return arguments


def _writable(mode: int) -> bool:
    return stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and bool(mode & 0o222))


def libraries(maps: Iterable[str]) -> list[str]:
    """The driver's libraries outside the system's folders, from the lines of /proc/self/maps.

    They lie beside the loaded libcuda, and where LD_LIBRARY_PATH finds one. Only files of the driver are
    named, because such a folder may be a person's own.
    """
    loaded = [Path(line.split(maxsplit=5)[5]).parent for line in maps if "/libcuda.so" in line]
    named = [Path(name) for name in os.environ.get("LD_LIBRARY_PATH", "").split(":") if name]
    folders = {*loaded, *(folder for folder in named if (folder / "libcuda.so.1").exists())}
    outside = sorted(folder for folder in folders if not f"{folder}/".startswith(BOUND))
    return [str(file) for folder in outside for kind in ("cuda", "nv") for file in folder.glob(f"lib{kind}*")]
