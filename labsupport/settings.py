"""The device and the sizes of a lab, for notebooks, checks and grader."""

import os
import re
from dataclasses import dataclass, replace
from functools import cache

import torch

from labsupport.errors import LabError, reason

os.environ.pop("NVIDIA_TF32_OVERRIDE", None)  # inside cuBLAS it overrules torch's own switch


@dataclass(frozen=True)
class Settings:
    """Sizes in tokens and windows; `dtype` is the type of the course model's weights."""

    model: str
    text: str
    dtype: torch.dtype
    window: int  # tokens in a window
    evaluation_windows: int
    calibration_windows: int


DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
ON_CARDS = "PRUNING_LABS_DTYPE is for GPUs: a CPU computes in float32."
APPLE = "Apple's GPU is not used: its numbers differ from those of the course, so the CPU computes."
BUSY = "busy or unavailable"
EXCLUSIVE = (
    "A card in the mode EXCLUSIVE_PROCESS admits one process, also behind MPS, whose pipes no sandbox "
    "has; grading takes two: `nvidia-smi -c DEFAULT` lets them in."
)
CPU = Settings("smollm2-135m", "sotu", torch.float32, window=512, evaluation_windows=4, calibration_windows=4)
CUDA = replace(CPU, evaluation_windows=16, calibration_windows=16)


def named_device() -> str:
    """The name in PRUNING_LABS_DEVICE, "" for none; raises LabError for one that no device can have."""
    name = os.environ.get("PRUNING_LABS_DEVICE") or ""
    if not re.fullmatch(r"(cpu|cuda(:(0|[1-9][0-9]?))?)?", name):  # from 128 on torch counts wrong
        hint = f" {APPLE}" if name == "mps" else ""
        raise LabError(f"PRUNING_LABS_DEVICE is {name!r}; it may be cpu, cuda or cuda:1.{hint}")
    return name


def device() -> torch.device:
    """The device that PRUNING_LABS_DEVICE names (cpu, cuda, cuda:1), else a GPU that works, else the CPU.

    Raises LabError for another name, and for a GPU that is named and cannot be used.
    """
    name = named_device()
    if name == "cpu" or not (name or torch.cuda.is_available()):
        return torch.device("cpu")
    card = torch.device("cuda", torch.device(name or "cuda").index or 0)
    why = unusable(card)
    if why and name:
        instead = "PRUNING_LABS_DEVICE=cpu computes on the CPU."
        raise LabError(f"{name} cannot be used: {why}. {_admitting_one(why)}{instead}")
    return torch.device("cpu") if why else card


def kind() -> str:
    """ "cpu" or "cuda": that of `device`; a name alone touches no card, which may be another machine's."""
    return named_device().partition(":")[0] or device().type


def unusable(card: torch.device) -> str:
    """Why torch cannot compute on this card, from one product; "" if it can."""
    if not torch.cuda.is_available():
        return f"torch finds no CUDA device here ({_none()})"
    if (card.index or 0) >= torch.cuda.device_count():
        return f"there are {torch.cuda.device_count()} CUDA devices here"
    return _tried(card)


def _admitting_one(why: str) -> str:
    """A sentence on a card that admits one process only; "" for any other trouble."""
    return f"{EXCLUSIVE} " if BUSY in why else ""


def _none() -> str:
    """Why torch finds no device: the error that a call would end with."""
    try:
        torch.cuda.init()
    except Exception as problem:
        return reason(problem, 300)
    return "no error is reported"


@cache
def _tried(card: torch.device) -> str:
    try:
        ones = torch.ones(8, 8, device=card)
        return "" if float((ones @ ones).sum()) == 512 else "it computes a wrong product"
    except Exception as problem:  # too old for this torch, full, or busy
        return reason(problem)


def note() -> str:
    """Sentences on a GPU that is there and is not used, and on a dtype that is not; "" without them."""
    unused = [ON_CARDS] if named_dtype() is not torch.float32 and device().type == "cpu" else []
    return " ".join(filter(None, [_unused_gpu(), *unused]))


def _unused_gpu() -> str:
    if named_device():
        return ""
    if torch.cuda.is_available() and (why := unusable(torch.device("cuda", 0))):
        said = f"There is a GPU, and torch cannot use it ({why}), so everything runs on the CPU."
        return f"{said} {_admitting_one(why)}".rstrip()
    if torch.backends.mps.is_available():
        return APPLE
    return ""


def current() -> Settings:
    """The settings of this machine.

    PRUNING_LABS_MODEL and PRUNING_LABS_TEXT name another model or text, PRUNING_LABS_DEVICE a device, and
    PRUNING_LABS_DTYPE the type of the course model's weights on a card. Raises LabError for another type.
    """
    card = kind() == "cuda"
    settings = CUDA if card else CPU
    return replace(
        settings,
        dtype=named_dtype() if card else settings.dtype,
        model=os.environ.get("PRUNING_LABS_MODEL") or settings.model,
        text=os.environ.get("PRUNING_LABS_TEXT") or settings.text,
    )


def named_dtype() -> torch.dtype:
    """The type that PRUNING_LABS_DTYPE names, by default float32. Raises LabError for another name."""
    name = os.environ.get("PRUNING_LABS_DTYPE") or "float32"
    if name not in DTYPES:
        raise LabError(f"PRUNING_LABS_DTYPE is '{name}'; it may be {' or '.join(DTYPES)}.")
    return DTYPES[name]
