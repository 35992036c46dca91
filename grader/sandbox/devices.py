"""The device files of a GPU, and the system files that its driver reads."""

from pathlib import Path

GPU = Path("/dev/nvidiactl")
DRIVERS = (
    "/usr/local/nvidia", "/usr/local/cuda", "/run/nvidia", "/usr/lib/wsl", "/etc/nvidia", "/etc/vulkan",
    "/sys/bus/pci", "/sys/devices", "/sys/module", "/sys/class/drm", "/sys/class/infiniband",
)  # fmt: skip
VARIABLES = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG")


def binds() -> list[str]:
    """The bwrap arguments that bind the GPU and its driver; none without a GPU."""
    if not GPU.exists():
        return []
    arguments = []
    for path in (*sorted(Path("/dev").glob("nvidia*")), Path("/dev/dri"), Path("/dev/dxg")):
        arguments += ["--dev-bind-try", str(path), str(path)]
    for path in DRIVERS:
        arguments += ["--ro-bind-try", path, path]
    return arguments
