"""The cost of a model: bytes of its weights, peak memory and latency.

The first follows from shapes and is exact. Memory and latency are measured on the device of settings.py and
hold for that machine only. Multiply-accumulates are in given/macs.py.
"""

import gc
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import nn

from labsupport import settings
from labsupport.errors import LabError, reason
from labsupport.memory import give_back

# Bytes on a disk


def weight_bytes(model: nn.Module) -> int:
    """Bytes of all parameters, zeros included; a weight shared by two layers counts once."""
    return sum(weight.numel() * weight.element_size() for weight in model.parameters())


# Peak memory


def allocated() -> int:
    """Bytes allocated now: on CUDA those of tensors; on a CPU the resident memory of this process."""
    if (device := settings.device()).type == "cuda":
        return torch.cuda.memory_allocated(device)
    gc.collect()
    give_back()
    return _resident()


def peak_memory(action: Callable) -> tuple[object, int]:
    """The value of action(), and its peak memory in bytes above the memory allocated before.

    On CUDA: the memory of tensors, by torch.cuda.max_memory_allocated, without the allocator's reserve. On
    a CPU: the growth of this process's resident memory, for any reason (tensors, the scratch space of
    kernels, code loaded on the first call: call the action once before). Linux keeps the high-water mark;
    on other systems a thread samples every millisecond and may miss a shorter peak. Free memory is returned
    to the system first, so that it counts again when it is used again. The kernel counts pages of 4 KiB
    in batches, so differences below a megabyte are noise.
    """
    if (device := settings.device()).type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        value = action()
        torch.cuda.synchronize(device)
        return value, torch.cuda.max_memory_allocated(device) - before
    gc.collect()
    give_back()
    try:
        Path("/proc/self/clear_refs").write_text("5")  # resets the mark to the resident memory
    except OSError:
        return _sampled_peak(action)
    before = _high_water()
    value = action()
    return value, max(0, _high_water() - before)


def _high_water() -> int:
    """VmHWM: the peak resident memory since the mark was reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _resident() -> int:
    return psutil.Process().memory_info().rss


def _sampled_peak(action: Callable) -> tuple[object, int]:
    done = threading.Event()
    before = peak = _resident()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.001):
            peak = max(peak, _resident())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        value = action()
    finally:
        done.set()
        watcher.join()
    return value, max(peak, _resident()) - before


# Time

Seconds = tuple[float, tuple[float, float]]  # the median; the first quartile and the third


def latency(action: Callable, repeats: int) -> Seconds:
    """Median seconds of action(), and the first and third quartiles; one warm-up call comes before."""
    return latencies({"": action}, repeats)[""]


def latencies(actions: dict[str, Callable], repeats: int) -> dict[str, Seconds]:
    """As `latency`, for several actions in turns, so that a busy minute of the machine affects all alike."""
    times = {name: [] for name in actions}
    for turn in range(repeats + 1):
        for name, action in actions.items():
            _finish()
            start = time.perf_counter()
            action()
            _finish()
            if turn:  # the first turn is the warm-up: it loads code and fills caches
                times[name].append(time.perf_counter() - start)
    quartiles = {name: np.quantile(seconds, (0.25, 0.5, 0.75)).tolist() for name, seconds in times.items()}
    return {name: (median, (low, high)) for name, (low, median, high) in quartiles.items()}


def _finish() -> None:
    """Wait for the GPU: a call returns as soon as its work is queued."""
    if (device := settings.device()).type == "cuda":
        torch.cuda.synchronize(device)


def semi_structured(weight: torch.Tensor) -> torch.Tensor:
    """A 2:4 weight in half precision, in the format of PyTorch's kernels; LabError without such hardware."""
    if not weight.is_cuda:
        raise LabError("PyTorch's 2:4 kernels need a CUDA device of compute capability 8.0 or more.")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The PyTorch API of SparseSemiStructuredTensor", UserWarning)
            return torch.sparse.to_sparse_semi_structured(weight.half())
    except Exception as problem:
        why = f"PyTorch has no 2:4 kernel for this weight on this device: {reason(problem)}"
        raise LabError(why) from problem
