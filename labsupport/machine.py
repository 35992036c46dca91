"""What the numbers of a process depend on: the judge and the sandbox agree on it, or nobody is graded."""

import ctypes
import json
import os
import sys
from contextlib import suppress
from typing import Annotated

import msgspec
import torch
from msgspec import Meta, Struct

from labsupport import settings
from labsupport.check.ask.surroundings import full_precision
from labsupport.errors import LabError

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
REPORT = "PRUNING_LABS_REPORT"  # the number of the pipe on which a command reports to the runner
SAME = ("device", "name", "capability", "driver", "dtype", "precision")  # threads may differ
Text = Annotated[str, Meta(max_length=200)]


class Machine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Device and precision of a process; name, capability and driver are "" on a CPU."""

    device: Text  # "cpu" or "cuda:0"
    name: Text
    capability: Text
    driver: Text
    dtype: Text  # of the course model's weights
    precision: Text  # of a product of float32, measured
    threads: Annotated[int, Meta(ge=1, le=2**16)]

    def text(self) -> str:
        """The machine in a few words."""
        more = [self.name, self.capability and f"capability {self.capability}", self.driver]
        own = ", ".join(filter(None, more))
        return f"{self.device}{f' ({own})' if own else ''} in {self.dtype}, products in {self.precision}"


def here() -> Machine:
    """That of this process, at full precision. Raises LabError for a device that cannot be used."""
    device = settings.device()
    full_precision()
    card = device.type == "cuda"
    return Machine(
        device=str(device),
        name=torch.cuda.get_device_name(device) if card else "",
        capability="{}.{}".format(*torch.cuda.get_device_capability(device)) if card else "",
        driver=driver() if card else "",
        dtype=str(settings.current().dtype).removeprefix("torch."),
        precision=precision(device),
        threads=torch.get_num_threads(),
    )


def driver() -> str:
    """The CUDA version of the driver, and of torch."""
    version = ctypes.c_int()
    with suppress(OSError):  # on the stand-in there is none
        ctypes.CDLL(LIBRARY).cuDriverGetVersion(ctypes.byref(version))
    number = f"{version.value // 1000}.{version.value % 1000 // 10}"
    return f"driver for CUDA {number}, torch for CUDA {torch.version.cuda}"


def precision(device: torch.device) -> str:
    """The precision of a product of float32 matrices: TF32 keeps 10 bits of 23, and loses 1 + 2**-12."""
    odd = torch.full((64, 64), 1 + 2**-12, device=device)
    exact = torch.equal(odd @ torch.eye(64, device=device), odd)
    return "float32" if exact else "less than float32"


def told() -> dict:
    """That of this process as plain data, for the runner; or why there is none."""
    try:
        return {"machine": msgspec.to_builtins(here())}
    except LabError as problem:
        return {"trouble": str(problem)}


def tell() -> None:
    """Report to the runner that started this command, and close its pipe."""
    if number := os.environ.pop(REPORT, ""):
        with os.fdopen(int(number), "w") as pipe:
            json.dump(told(), pipe)


def difference(judge: Machine, sandbox: Machine) -> str:
    """A sentence on how two machines differ; "" if numbers of both can be compared."""
    if all(getattr(judge, name) == getattr(sandbox, name) for name in SAME):
        return ""
    return f"The judge computes on {judge.text()}, the sandbox on {sandbox.text()}"
