"""The report of `python -m labsupport doctor`: this machine's hardware, and the time that a lab takes."""

import platform
import shutil
import time
from pathlib import Path

import psutil
import torch
import transformers

from labsupport import control_groups, corpora, models, settings
from labsupport.fetch import cache, hub
from labsupport.table import columns

# The cost of a lab: passes over the evaluation windows (calibration, the checks and the figures included),
# and the rest of its work in forward passes of one window.
LABS = {
    "00 start_here": (0, 3),
    "01 perplexity": (16, 10),
    "02 magnitude_pruning": (23, 13),
    "03 wanda_calibration": (4, 7),
    "04 wanda_pruning": (30, 50),
    "05 structured_pruning": (15, 110),
    "06 recovery": (7, 177),
    "07 zero_shot": (0, 82),
    "08 cost": (10, 350),
    "09 sparsegpt": (8, 130),
    "10 depth": (13, 240),
    "11 on_device": (13, 90),
    "12 challenge": (4, 250),
}
BUSY = 0.25  # share of the processor that other programs may take


def report() -> str:
    """The whole report, as text."""
    now, device = settings.current(), settings.device()
    models.known(now.model)
    others_take = psutil.cpu_percent(interval=1) / 100  # before the measurement
    seconds, how = window_seconds()
    memory, free = memory_here()
    facts = [
        ["device", device_name(device)],
        ["dtype", str(now.dtype).removeprefix("torch.")],
        ["versions", f"Python {platform.python_version()}, torch {torch.__version__}, "
                     f"transformers {transformers.__version__}"],
        ["model, text", f"{now.model}, {now.text}"],
        ["sizes", f"{now.evaluation_windows} windows of {now.window} tokens to evaluate, "
                  f"{now.calibration_windows} to calibrate"],
        ["cache", f"{cache.folder()} ({', '.join(stored()) or 'empty'})"],
        ["memory", f"{memory / 1e9:.1f} GB, {free / 1e9:.1f} GB of it free; labs need 8"],
        ["free disk", f"{shutil.disk_usage(existing(cache.folder())).free / 1e9:.1f} GB there"],
        ["model hub", "can be reached" if hub.reachable() else "cannot be reached; the course needs none"],
        ["one window", f"{seconds:.2f} s through the model ({how})"],
    ]  # fmt: skip
    if note := settings.note():
        facts.insert(1, ["", note])
    if others_take > BUSY:
        busy = f"other programs take {others_take:.0%} of the processor: the minutes below are too high"
        facts.append(["busy", busy])
    labs = [
        [lab, f"{(passes * now.evaluation_windows + others) * seconds / 60:.1f}"]
        for lab, (passes, others) in LABS.items()
    ]
    return f"{columns(['this machine', ''], facts, 2)}\n\n{columns(['lab, checks and all', 'minutes'], labs)}"


def memory_here() -> tuple[int, int]:
    """The bytes of memory in all and free, of this machine, or of the container that this runs in."""
    try:
        return control_groups.memory()
    except OSError:  # no Linux
        found = psutil.virtual_memory()
        return found.total, found.available


def device_name(device: torch.device) -> str:
    """The name of the device for the report."""
    if device.type == "cuda":
        return f"CUDA, {torch.cuda.get_device_name(device)}"
    threads = torch.get_num_threads()
    return f"CPU, {platform.processor() or platform.machine()}, {threads} thread{'s' * (threads > 1)}"


def stored() -> list[str]:
    """The models in the cache folder, with their size on disk."""
    place = cache.folder()
    folders = sorted({path.parent for path in place.glob("[!.]*/*.safetensors")})
    return [f"{path.name} {size(path) / 1e6:,.0f} MB" for path in folders]


def size(folder: Path) -> int:
    """Bytes of all the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def existing(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    return path if path.exists() else existing(path.parent)


def window_seconds() -> tuple[float, str]:
    """Seconds per evaluation window, and whether they were measured or estimated."""
    now = settings.current()
    at_hand = now.model == models.TINY or (cache.folder() / models.EMBEDDED).exists()
    if now.model in (models.TINY, models.EMBEDDED) and at_hand:
        model = models.load()
        window = corpora.windows("sotu", models.tokenizer(), "evaluation", now.window, 1)
        with torch.no_grad():
            measured = [timed(lambda: model(window.to(model.device))) for _ in range(3)]
        return min(measured), "measured, the least of 3"
    shape = models.shape(now.model) if now.model in models.SHAPES else models.shape(models.EMBEDDED)
    weights = sum(weight.numel() for weight in shape.parameters())
    return 2 * weights * now.window / operations_per_second(), "estimated from a matrix product"


def operations_per_second(side: int = 1024) -> float:
    """Operations per second of a square matrix product on this device, in the course's dtype."""
    matrix = torch.ones(side, side, device=settings.device(), dtype=settings.current().dtype)
    return 2 * side**3 / min(timed(lambda: float((matrix @ matrix)[0, 0])) for _ in range(4))


def timed(action) -> float:
    """Seconds that one call of an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
