"""(d) Which weights stay: partial selection against the published sorts, on one decoder layer's scores."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.job import clocked, peak
from benchmarks.measure import fresh, in_turn, middle
from benchmarks.table import Row, megabytes, seconds
from labsupport import models, settings
from labsupport.check.judge.kit.compare import drops_lowest
from labsupport.errors import LabError
from labsupport.given import masks

SPARSITY = 0.5
MODELS = {models.EMBEDDED: "SmolLM2", "tinyllama-1.1b-chat": "TinyLlama", models.TINY: "the tiny model"}
AGAINST = {"row": ("wanda_rows", "rows", ">= 8"), "matrix": ("sorted_matrix", "matrix", ">= 30")}


def run(names=(models.EMBEDDED, "tinyllama-1.1b-chat"), rounds: int = 3) -> tuple[list[Row], list[str]]:
    """Per row against Wanda's stable sort and scatter; per matrix against a full sort."""
    rows = []
    for name in names:
        for unit, (usual, ours, goal) in AGAINST.items():
            with tempfile.TemporaryDirectory() as folder:
                measured = partial(fresh, "selection:measure", name=name, folder=folder)
                jobs = {way: partial(measured, way=way) for way in (usual, ours)}
                found = in_turn(jobs, rounds)
                differ = fresh("selection:differing", ways=[usual, ours], name=name, folder=folder)
            if differ["wrong"]:
                raise LabError(f"The masks of {', '.join(differ['wrong'])} are not those of the sort.")
            times, peaks = ([found[way][key] for way in (usual, ours)] for key in ("seconds", "peak"))
            what = f"masks of a layer of {MODELS[name]}, per {unit}"
            rows.append(Row(f"{what}: time", *map(seconds, times), ratio=times[0] / times[1], goal=goal))
            rows.append(Row(f"{what}: peak memory", *map(megabytes, peaks), ratio=peaks[1] / peaks[0]))
    goal = "The baseline per row is the published Wanda's stable sort and scatter, per matrix a full sort."
    return rows, [f"{goal} Masks are equal, ties aside."]


def scores(name: str) -> dict[str, torch.Tensor]:
    """Random Wanda scores of one decoder layer by the layer's name, [out_features, in_features] each."""
    generator = torch.Generator().manual_seed(0)
    found = {}
    for kind, module in models.shape(name).model.layers[0].named_modules():
        if isinstance(module, nn.Linear):
            score = torch.randn(module.weight.shape, generator=generator).abs()
            found[kind] = (score * torch.rand(module.in_features, generator=generator)).to(settings.device())
    return found


def measure(way: str, name: str, folder: str, repeats: int = 3) -> dict:
    """The seconds that all masks of a layer take one way; they are left in the folder."""
    drawn = scores(name)
    found = {kind: WAYS[way](score).cpu() for kind, score in drawn.items()}
    times = [clocked(lambda: [WAYS[way](score) for score in drawn.values()])[1] for _ in range(repeats)]
    masks_found: dict[str, Any] = {kind: mask.numpy() for kind, mask in found.items()}
    np.savez(Path(folder, f"{way}.npz"), **masks_found)
    return {"seconds": middle(times), "peak": peak()}


def differing(ways: list[str], name: str, folder: str) -> dict:
    """The matrices where a way left in the folder drops others than the lowest; ties may fall either way."""
    wrong = []
    for way in ways:
        found = np.load(Path(folder, f"{way}.npz"))
        for kind, score in scores(name).items():
            mask, score = torch.from_numpy(found[kind]), score.cpu()
            if "matrix" in way:
                mask, score = mask.flatten(), score.flatten()
            threshold = score.sort(dim=-1).values[..., [round(SPARSITY * score.shape[-1]) - 1]]
            if not torch.equal(mask & (score != threshold), score > threshold) or not drops_lowest(
                mask, score, round(SPARSITY * score.shape[-1])
            ):
                wrong.append(f"{kind} ({way})")
    return {"wrong": wrong}


def wanda_rows(score: torch.Tensor) -> torch.Tensor:
    """As the published Wanda selects, its mask turned round: here True means keep."""
    dropped = torch.zeros_like(score) == 1
    order = torch.sort(score, dim=-1, stable=True)
    indices = order[1][:, : int(score.shape[1] * SPARSITY)]
    dropped.scatter_(1, indices, True)
    return ~dropped


def sorted_matrix(score: torch.Tensor) -> torch.Tensor:
    """A full sort of all entries, and a comparison with the k-th."""
    k = round(SPARSITY * score.numel())
    return score > torch.sort(score.flatten())[0][k - 1]


def rows(score: torch.Tensor) -> torch.Tensor:
    return masks.kept(score, SPARSITY)


def matrix(score: torch.Tensor) -> torch.Tensor:
    return masks.kept(score.flatten()[None], SPARSITY).view(score.shape)


WAYS = {each.__name__: each for each in (wanda_rows, sorted_matrix, rows, matrix)}
