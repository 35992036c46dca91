"""What runs in a fresh process. Nothing is imported here that the job does without."""

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Value = TypeVar("Value")


def clocked(action: Callable[[], Value]) -> tuple[Value, float]:
    """The value of action() and how many seconds it took, the device's queue included."""
    import torch

    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    wait()
    started = time.perf_counter()
    value = action()
    wait()
    return value, time.perf_counter() - started


def peak() -> int:
    """The most bytes this process has held: of tensors on CUDA, else of resident memory."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return high_water()


def high_water(process: int | str = "self") -> int:
    """The peak resident memory of a process in bytes, since its mark was reset; 0 if it cannot be read."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def main(job: str, arguments: str) -> None:
    """Run "module:function" with these arguments as JSON; its result is the last line."""
    module, function = job.split(":")
    result = getattr(importlib.import_module(f"benchmarks.{module}"), function)(**json.loads(arguments))
    print()
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
