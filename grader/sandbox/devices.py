"""The devices of a graphics card, and what of the system its driver reads."""

from pathlib import Path

GPU = Path("/dev/nvidiactl")
DRIVERS = (
    "/usr/local/nvidia", "/usr/local/cuda", "/run/nvidia", "/usr/lib/wsl", "/etc/nvidia", "/etc/vulkan",
    "/sys/bus/pci", "/sys/devices", "/sys/module", "/sys/class/drm", "/sys/class/infiniband",
)  # fmt: skip
VARIABLES = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG")


def binds() -> list[str]:
    """bubblewrap's arguments that bind the card and its driver in; none where there is no card."""
    if not GPU.exists():
        return []
    arguments = []
    for path in (*sorted(Path("/dev").glob("nvidia*")), Path("/dev/dri"), Path("/dev/dxg")):
        arguments += ["--dev-bind-try", str(path), str(path)]
    for path in DRIVERS:
        arguments += ["--ro-bind-try", path, path]
    return arguments
