"""`python -m labsupport prune`: a pruned copy of a model in a new folder."""

import argparse
import re
import time
import warnings
from pathlib import Path
from typing import Any

import torch

from labsupport import linears, models, planning, settings
from labsupport.errors import LabError
from labsupport.fetch import books
from labsupport.given import blocks, masks, wanda
from labsupport.given.input_norms import input_norms
from labsupport.steps import calibration, loading, new_folder, record
from labsupport.structured import CRITERIA

PUBLISHED = {"taylor": "10x64", "wanda": "128x2048"}  # calibration windows in the published code

# Pruning of a model in memory: for the command, and for `compare`


def slice_blocks(
    model: Any, criterion: str, ratio: float, layers: range, batches: list[torch.Tensor], seed: int = 0
) -> list[str]:
    """Remove channels and KV groups, in place; the sentences on blocks that stay as they are.

    Arguments as in blocks.prune_blocks. Raises LabError for bad ones.
    """
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", UserWarning)
            blocks.prune_blocks(model, ratio, layers, criterion, batches, seed)
    except ValueError as problem:
        raise LabError(f"{str(problem)[0].upper()}{str(problem)[1:]}.") from problem
    return [str(warning.message) for warning in told]


def mask_weights(
    model: Any, norms: dict[str, torch.Tensor] | None, sparsity: float, pattern: tuple[int, int] | None = None
) -> None:
    """Set weights to zero, in place: by magnitude, or by Wanda's score where input norms are given.

    Magnitudes are ranked in each matrix, Wanda's scores in each row; with a pattern (n, m) the n best of
    every m inputs remain. Raises LabError for a layer that has no such groups.
    """
    if pattern is not None:
        try:
            found = wanda.n_of_m_masks(model, norms, *pattern)
        except ValueError as problem:
            raise LabError(f"{problem}.") from problem
    elif norms is None:
        found = masks.magnitude_masks(model, sparsity)
    else:
        found = wanda.wanda_masks(model, norms, sparsity)
    linears.apply_masks(model, found)


# The command


def run(chosen: argparse.Namespace) -> None:
    """Prune a model by name or folder, save it, and print what is left."""
    with new_folder.alone(chosen.to) as target:
        new_folder.must_be_new(target)
        into(target, chosen)


def into(target: Path, chosen: argparse.Namespace) -> None:
    """Prune a model into a new folder; raises LabError."""
    started = time.monotonic()
    record.must_be_a_seed(chosen.seed)
    config: Any = models.stored_config(models.known(chosen.model))
    way = sliced(chosen, config.num_hidden_layers) if chosen.criterion else masked(chosen)
    start = record.subject(chosen.model)
    model: Any = loading.load(start.name)
    tokenizer: Any = models.tokenizer(start.name)
    before = parameters(model)
    how, notes = prune(model, tokenizer, way)
    left = {"before": before, "after": parameters(model), "zeros": linears.model_sparsity(model)}
    model.to(config.dtype or model.dtype)  # a cut or a zero needs no more digits than the weights had
    seconds = {"seconds": round(time.monotonic() - started, 1)}
    step = {"step": "prune", **how, "parameters": left, "notes": notes, "how": record.conditions() | seconds}
    new_folder.write(target, model, tokenizer, start, step)
    print("\n".join([*notes, said(left), f"Pruned: {target}"]))


def sliced(chosen: argparse.Namespace, count: int) -> dict:
    """The way of structured pruning that the options name, of a model of so many layers; raises LabError."""
    if chosen.ratio is None or chosen.sparsity is not None or chosen.pattern is not None:
        raise LabError("--criterion removes heads and channels: it needs --ratio, and neither --sparsity nor "
                       "--pattern.")  # fmt: skip
    if not 0 <= chosen.ratio <= 1:
        raise LabError(f"--ratio is {chosen.ratio:g}: it must be from 0 to 1.")
    try:
        layers = planning.layer_range(chosen.layers, count)
    except ValueError as problem:
        raise LabError(f"{str(problem)[0].upper()}{str(problem)[1:]}.") from problem
    return {
        "criterion": chosen.criterion,
        "ratio": chosen.ratio,
        "layers": [layers.start, layers.stop],
        "seed": chosen.seed,
        "calibration": chosen_calibration(chosen, chosen.criterion),
    }


def masked(chosen: argparse.Namespace) -> dict:
    """The way of setting weights to zero that the options name; raises LabError."""
    if chosen.method is None:
        raise LabError(f"How to prune? --criterion {'|'.join(CRITERIA)} removes heads and channels, --method "
                       "magnitude|wanda sets weights to zero.")  # fmt: skip
    if chosen.ratio is not None or chosen.layers is not None:
        raise LabError("--method sets weights to zero: --ratio and --layers belong to --criterion.")
    pattern = parsed_pattern(chosen.pattern)
    sparsity = 1 - pattern[0] / pattern[1] if chosen.sparsity is None and pattern else chosen.sparsity
    if sparsity is None or not 0 <= sparsity <= 1:
        given = "missing" if sparsity is None else f"{sparsity:g}"
        raise LabError(f"--sparsity is {given}: it must be from 0 to 1.")
    if pattern and abs(sparsity - (1 - pattern[0] / pattern[1])) > 1e-9:
        kept = f"{pattern[0]} of {pattern[1]}"
        raise LabError(f"The pattern {chosen.pattern} keeps {kept}: that is no sparsity of {sparsity:g}.")
    return {
        "method": chosen.method,
        "sparsity": sparsity,
        "pattern": list(pattern) if pattern else None,
        "seed": chosen.seed,
        "calibration": chosen_calibration(chosen, chosen.method),
    }


def parsed_pattern(words: str | None) -> tuple[int, int] | None:
    """(2, 4) for "2:4", 2 of every 4 remain; None for None. Raises LabError."""
    if words is None:
        return None
    match = re.fullmatch(r"(\d+):(\d+)", words)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise LabError(f"--pattern is '{words}': it must be N:M, such as 2:4, N of every M remain.")
    return int(match[1]), int(match[2])


def chosen_calibration(chosen: argparse.Namespace, name: str) -> dict | None:
    """The calibration of a criterion or a method, None for one without; raises LabError."""
    if name not in PUBLISHED:
        if chosen.calibrate:
            raise LabError(f"{name} looks at no text: --calibrate belongs to taylor and wanda.")
        return None
    text = books.NAME if name == "taylor" and books.fetched() else settings.current().text
    words = chosen.calibrate or f"{text}:{PUBLISHED[name]}"
    return calibration.parsed(words, chosen.seed).about()


def prune(model: Any, tokenizer: Any, way: dict) -> tuple[dict, list[str]]:
    """Prune a model in memory by `sliced` or `masked`; the way, with how it was calibrated, and notes."""
    asked = way["calibration"]
    windows = calibration.Calibration(**asked).windows(tokenizer) if asked else None
    if "criterion" in way:
        batches = [] if windows is None else [windows]  # one batch, as in LLM-Pruner
        layers = range(*way["layers"])
        return way, slice_blocks(model, way["criterion"], way["ratio"], layers, batches, way["seed"])
    norms = None if windows is None else input_norms(model, windows[:, None])
    mask_weights(model, norms, way["sparsity"], tuple(way["pattern"]) if way["pattern"] else None)
    if norms is not None:  # Wanda's own code goes block by block
        way = {**way, "calibration": {**way["calibration"], "norms": "of the dense model, all at once"}}
    return way, []


def parameters(model: Any) -> int:
    """The number of weights; one that two layers share counts once."""
    return sum(weight.numel() for weight in model.parameters())


def said(left: dict) -> str:
    """One line: weights before and after, in the words of the published tool; and the share of zeros."""
    before, after = left["before"], left["after"]
    line = f"#Param before: {before}, #Param after: {after}, Ratio = {100 * after / before:.4f}%"
    return f"{line}, zeros in the decoder's Linear layers: {left['zeros']:.2%}"
