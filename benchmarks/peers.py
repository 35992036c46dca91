"""llmcompressor's modifiers beside ours: the same weights, the same windows, one thread each.

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
    """CPU seconds, peak memory and perplexity of each method, the peer's first."""
    python = environment()
    rows, notes = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workload.model().save_pretrained(folder / "dense")
        models.tokenizer(workload.name()).save_pretrained(folder / "dense")  # the peer looks for one
        torch.save(torch.cat(calibration()), folder / "windows.pt")  # [n, L]
        for method in METHODS:
            jobs = {
                "theirs": partial(fresh, "peers_job:theirs", python, method=method, folder=name),
                "ours": partial(fresh, "peers_job:ours", method=method, folder=name),
            }
            found = in_turn(jobs, rounds)
            losses = [_perplexity(folder / way) for way in jobs]
            same, away = _agreement(folder)
            times, peaks = ([found[way][key] for way in jobs] for key in ("seconds", "peak"))
            what = f"{workload.name()}, {method}, against llmcompressor"
            rows += [
                Row(f"{what}: CPU time", *map(seconds, times), ratio=times[0] / times[1], goal=">= 2"),
                Row(f"{what}: peak memory", *map(megabytes, peaks), ratio=peaks[1] / peaks[0], goal="<= 1"),
                Row(
                    f"{what}: perplexity",
                    *(f"{x:.2f}" for x in losses),
                    ratio=losses[1] / losses[0],
                    goal="<= 1",
                ),
                Row(f"{what}: equal places of zeros", "100%", f"{same:.2%}", ratio=same, goal=">= 0.99"),
            ]
            notes.append(f"{method}: our weights are {away:.2%} of their norm away from llmcompressor's.")
    return rows, [
        *notes,
        "Places and weights: the first layer's q, k and v, which meet the same inputs either way.",
        f"{PEER} goes layer after layer: each is pruned on what the pruned ones before it send. Our Wanda is "
        "measured once on the dense model, our SparseGPT goes layer after layer within one pass.",
    ]


@torch.no_grad()
def _perplexity(folder: Path) -> float:
    """Of the model that a way has left, half of whose weights must be zero."""
    now = settings.current()
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    zeros = [(layer.mlp.down_proj.weight == 0).float().mean() for layer in model.model.layers]
    if abs(float(torch.stack(zeros).mean()) - SPARSITY) > 0.01:
        raise LabError(f"{folder.name}: half of the weights should be zero.")
    return perplexity(model, workload.windows("evaluation", now.window, now.evaluation_windows))


@torch.no_grad()
def _agreement(folder: Path) -> tuple[float, float]:
    """How far both ways agree on the first layer's q, k and v, whose inputs nothing has changed.

    The share of places where both have a zero or none, and the norm of the difference of the weights over
    that of the peer's.
    """
    found = []
    for way in ("theirs", "ours"):
        model: Any = AutoModelForCausalLM.from_pretrained(folder / way, dtype=torch.float32)
        attention = model.model.layers[0].self_attn
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
