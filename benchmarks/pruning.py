"""A whole model pruned by Wanda: the given way against the plain one-shot way, which makes every logit."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from benchmarks import workload
from benchmarks.job import clocked, peak
from benchmarks.measure import fresh, in_turn
from benchmarks.selection import SPARSITY, wanda_rows
from benchmarks.table import Row, megabytes, seconds
from labsupport import settings
from labsupport.check.judge.kit.compare import drops_lowest
from labsupport.errors import LabError
from labsupport.given.input_norms import input_norms
from labsupport.given.wanda import wanda_masks
from labsupport.linears import apply_masks, pruned_linears


def run(rounds: int = 3) -> tuple[list[Row], list[str]]:
    """Seconds from the dense model to the pruned one, calibration included, and peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = {way: partial(fresh, "pruning:measure", way=way, folder=folder) for way in WAYS}
        found = in_turn(jobs, rounds)
        wrong = fresh("pruning:differing", folder=folder)["wrong"]
    if wrong:
        raise LabError(f"The masks of {', '.join(wrong[:3])} are not those of the plain way.")
    times, peaks = ([found[way][key] for way in WAYS] for key in ("seconds", "peak"))
    what = f"{workload.name()} pruned by Wanda"
    return [
        Row(f"{what}: time", *map(seconds, times), ratio=times[0] / times[1], goal=">= 1.4"),
        Row(f"{what}: peak memory", *map(megabytes, peaks), ratio=peaks[1] / peaks[0]),
    ], []


def calibration() -> list[torch.Tensor]:
    """The calibration windows of settings.py, as batches of one."""
    now = settings.current()
    return list(workload.windows("calibration", now.window, now.calibration_windows)[:, None])


def measure(way: str, folder: str) -> dict:
    """Prune one way in this process; the masks are left in the folder."""
    model, batches = workload.model(), calibration()
    with torch.no_grad():
        model(batches[0][:, :16].to(model.device))  # code is loaded on the first call
    masks, taken = clocked(lambda: WAYS[way](model, batches))
    most = peak()
    packed: dict[str, Any] = {name: np.packbits(mask.cpu().numpy()) for name, mask in masks.items()}
    np.savez(Path(folder, f"{way}.npz"), **packed)
    return {"seconds": taken, "peak": most}


def differing(folder: str) -> dict:
    """The layers where a way's masks drop others than the lowest scores of each row.

    The two ways add squares in another order, so scores within 1e-5 of the cut may go either way.
    """
    model = workload.model()
    norms = input_norms(model, calibration())
    wrong = []
    for way in WAYS:
        found = np.load(Path(folder, f"{way}.npz"))
        for name, linear in pruned_linears(model).items():
            shape = linear.weight.shape
            bits = np.unpackbits(found[name], count=shape.numel()).astype(bool)
            score = (linear.weight.abs() * norms[name]).cpu()
            if not drops_lowest(torch.from_numpy(bits).view(shape), score, round(SPARSITY * shape[1]), 1e-5):
                wrong.append(f"{name} ({way})")
    return {"wrong": wrong}


@torch.no_grad()
def plain(model: PreTrainedModel, batches: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """One-shot Wanda as published: a full forward, norms by hooks, a stable sort and scatter per row."""
    squares: dict[str, torch.Tensor] = {}
    handles = []
    for name, linear in pruned_linears(model).items():
        squares[name] = torch.zeros(linear.in_features, device=linear.weight.device)

        def add(_module, inputs, _output, name=name):
            x = inputs[0].reshape(-1, inputs[0].shape[-1]).t().float()  # [in_features, tokens]
            squares[name] += torch.norm(x, p=2, dim=1) ** 2

        handles.append(linear.register_forward_hook(add))
    for batch in batches:
        model(batch.to(model.device))
    for handle in handles:
        handle.remove()
    masks = {}
    for name, linear in pruned_linears(model).items():
        masks[name] = wanda_rows(linear.weight.abs() * squares[name].sqrt())
        linear.weight[~masks[name]] = 0
    return masks


@torch.no_grad()
def given(model: nn.Module, batches: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """What lab 05 on uses."""
    masks = wanda_masks(model, input_norms(model, batches), SPARSITY)
    apply_masks(model, masks)
    return masks


WAYS = {"plain": plain, "given": given}
