"""The sizes of a lab per device, for notebooks, checks and grader."""

import os
from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True)
class Settings:
    """Sizes in tokens and windows; `dtype` is the type of the course model's weights."""

    model: str
    text: str
    dtype: torch.dtype
    window: int  # tokens in a window
    evaluation_windows: int
    calibration_windows: int


CPU = Settings("smollm2-135m", "sotu", torch.float32, window=512, evaluation_windows=4, calibration_windows=4)
CUDA = replace(CPU, evaluation_windows=16, calibration_windows=16)


def device() -> torch.device:
    """CUDA if available, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def current() -> Settings:
    """The settings of this machine.

    PRUNING_LABS_MODEL and PRUNING_LABS_TEXT name another model or text.
    """
    settings = CUDA if device().type == "cuda" else CPU
    return replace(
        settings,
        model=os.environ.get("PRUNING_LABS_MODEL") or settings.model,
        text=os.environ.get("PRUNING_LABS_TEXT") or settings.text,
    )
