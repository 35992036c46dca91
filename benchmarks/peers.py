"""llmcompressor's modifiers beside ours: the same weights, the same windows, one thread each or one GPU.

llmcompressor has an environment of its own under build/, made once; the course does not depend on it.
"""

import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from benchmarks import workload
from benchmarks.measure import ROOT, fresh, in_turn
from benchmarks.pruning import calibration
from benchmarks.selection import SPARSITY
from benchmarks.table import KEPT, Row, megabytes, seconds
from labsupport import models, settings
from labsupport.errors import LabError
from labsupport.given.perplexity import perplexity

PEER = "llmcompressor==0.14.0.1"
METHODS = ("Wanda", "SparseGPT", "SparseGPT 2:4")


def run(rounds: int = 1) -> tuple[list[Row], list[str]]:
    """Seconds, peak memory, zeros and perplexity of each method, the peer's first.

    Random weights, as those of the large shape on a GPU, have no perplexity that says anything.
    """
    python, device = environment(), settings.device().type
    clock = "CPU time" if device == "cpu" else "time"
    rows, notes = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workload.model().save_pretrained(folder / "dense")
        models.tokenizer(settings.current().model).save_pretrained(folder / "dense")  # the peer wants one
        torch.save(torch.cat(calibration()), folder / "windows.pt")  # [n, L]
        for method in METHODS:
            jobs = {
                "theirs": partial(
                    fresh, "peers_job:theirs", python, method=method, folder=name, device=device
                ),
                "ours": partial(fresh, "peers_job:ours", method=method, folder=name, device=device),
            }
            found = in_turn(jobs, rounds)
            for way in jobs:
                _check_half(folder / way)
            same, away = _agreement(folder)
            times, peaks = ([found[way][key] for way in jobs] for key in ("seconds", "peak"))
            what = f"{workload.name()}, {method}, against llmcompressor"
            rows += [
                Row(f"{what}: {clock}", *map(seconds, times), ratio=times[0] / times[1], goal=">= 2"),
                Row(f"{what}: peak memory", *map(megabytes, peaks), ratio=peaks[1] / peaks[0], goal="<= 1"),
                Row(f"{what}: equal places of zeros", "100%", f"{same:.2%}", ratio=same, goal=">= 0.99"),
            ]
            if workload.name() != workload.LARGE:
                losses = [_perplexity(folder / way) for way in jobs]
                said = [f"{loss:.2f}" for loss in losses]
                rows.append(Row(f"{what}: perplexity", *said, ratio=losses[1] / losses[0], goal="<= 1"))
            notes.append(f"{method}: our weights are {away:.2%} of their norm away from llmcompressor's.")
    return rows, [
        *notes,
        "Places and weights: the first layer's q, k and v, which meet the same inputs either way.",
        f"{PEER} goes layer after layer: each is pruned on what the pruned ones before it send. Our Wanda is "
        "measured once on the dense model, our SparseGPT goes layer after layer within one pass.",
    ]


def _left(folder: Path) -> Any:
    """The model that a way has left."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


@torch.no_grad()
def _check_half(folder: Path) -> None:
    """Half of the weights of the model that a way has left must be zero."""
    zeros = [(layer.mlp.down_proj.weight == 0).float().mean() for layer in _left(folder).model.layers]
    if abs(float(torch.stack(zeros).mean()) - SPARSITY) > 0.01:
        raise LabError(f"{folder.name}: half of the weights should be zero.")


def _perplexity(folder: Path) -> float:
    """Of the model that a way has left."""
    now = settings.current()
    windows = workload.windows("evaluation", now.window, now.evaluation_windows)
    return perplexity(_left(folder).to(settings.device()), windows)


@torch.no_grad()
def _agreement(folder: Path) -> tuple[float, float]:
    """How far both ways agree on the first layer's q, k and v, whose inputs nothing has changed.

    The share of places where both have a zero or none, and the norm of the difference of the weights over
    that of the peer's.
    """
    found = []
    for way in ("theirs", "ours"):
        attention = _left(folder / way).model.layers[0].self_attn
        found.append(torch.cat([getattr(attention, f"{name}_proj").weight for name in "qkv"]))
    theirs, ours = found  # [rows of all three, hidden] each
    same = ((theirs == 0) == (ours == 0)).float().mean()
    return float(same), float((theirs - ours).norm() / theirs.norm())


def environment() -> str:
    """The Python of llmcompressor's environment, which is made where it is missing."""
    folder = KEPT / "peers"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            pinned = [f"torch=={torch.__version__.split('+')[0]}", "transformers==5.17.0", PEER]
            subprocess.run([python, "-m", "pip", "install", "--quiet", *pinned], check=True, cwd=ROOT)
        except subprocess.CalledProcessError as problem:
            raise LabError(f"{PEER} cannot be installed: {problem}.") from problem
        (folder / "ready").write_text(json.dumps(pinned))
    return str(python)
