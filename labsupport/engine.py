"""A GGUF file in an engine: what it writes, how fast, and how much memory that takes.

The engine is OpenVINO, which reads GGUF and has wheels for Linux, Windows and macOS. The course does not
depend on it: `pip install pruning-labs[engine]`. It runs in a process of its own, so that the memory counted
is its own.
"""

import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from labsupport.errors import LabError
from labsupport.gguf_file import Quantised

NAME = "openvino_genai"
MISSING = (
    "No engine is installed here, so nothing is measured: `pip install openvino-genai` in this environment, "
    "and run the cell again."
)


@dataclass(frozen=True)
class Run:
    """What an engine wrote, how fast, and its peak memory in bytes.

    tokens_per_second leaves the first token out, and is that of the fastest of three tries.
    """

    text: str
    tokens: list[int]
    tokens_per_second: float
    peak: int


def installed() -> bool:
    """Whether there is an engine in this environment."""
    return importlib.util.find_spec(NAME) is not None


def run(file: Path, prompt: str, tokens: int = 64) -> Run:
    """Continue a prompt by the most likely tokens.

    file: a GGUF file; tokens: how many are written, also past an end of the text.
    Raises LabError without an engine, or with the engine's reason when it refuses the file.
    """
    if not installed():
        raise LabError(MISSING)
    command = [sys.executable, "-m", "labsupport.engine_process", str(file), prompt, str(tokens)]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        reason = (ended.stderr.strip() or "it does not say why").splitlines()[-1]
        raise LabError(f"The engine cannot run {file.name}: {reason}")
    return Run(**json.loads(ended.stdout.splitlines()[-1]))


def as_read(codes: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor) -> Quantised:
    """A matrix of Q4_1 as OpenVINO 2026.4 reads it: the zero of each group rounded to a whole code.

    codes: uint8 [out, in], 0 to 15; scale, zero: [out, in / group]. A weight is scale * code + zero, for this
    engine scale * (code - whole).
    """
    scale = scale.half().float()
    whole = torch.where(scale > 0, -zero / scale, 0.0).round().clamp(0, 15)
    return codes, scale, -scale * whole
