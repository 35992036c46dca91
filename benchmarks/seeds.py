"""`python -m benchmarks.seeds`: what labs 06, 08 and 10 draw at random, each drawn three times.

LoRA begins with random numbers, and its dropout draws more; blocks by "random" are drawn altogether. The
table says how far apart the perplexities of draws are, so that the labs can say which differences mean
something. Twenty-five minutes on two CPU cores.
"""

import argparse
import statistics
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from labsupport import __version__, amounts, comparison, corpora, models, residual, settings
from labsupport.given import distillation, lora
from labsupport.given.blocks import prune_blocks
from labsupport.given.depth import block_influence, drop_blocks
from labsupport.given.input_norms import input_norms
from labsupport.given.perplexity import perplexity
from labsupport.given.wanda import wanda_masks
from labsupport.linears import apply_masks
from labsupport.table import columns

SEEDS = (0, 1, 2)  # the labs' own draw is the first

Batches = list[torch.Tensor]  # int64 [1, length] each
Prune = Callable[[Any, Batches, int], None]  # a model, calibration windows, a seed -> pruned, in place


class Draw(NamedTuple):
    """One model of a lab that random numbers decide about."""

    prune: Prune
    steps: int = 0  # of a training afterwards
    teacher: bool = False  # the dense model's guesses instead of labels


def main(arguments: list[str] | None = None) -> None:
    """Make each model with each seed; print perplexity before and after training, by line and as a table."""
    reader = argparse.ArgumentParser(prog="python -m benchmarks.seeds", description=__doc__)
    reader.add_argument("--version", action="version", version=f"pruning-labs {__version__}")
    reader.parse_args(arguments)
    now, tokenizer = settings.current(), models.tokenizer()
    evaluation = corpora.windows(now.text, tokenizer, "evaluation", now.window, now.evaluation_windows)
    calibration = corpora.windows(now.text, tokenizer, "calibration", now.window, now.calibration_windows)
    rows = []
    for name, draw in DRAWS.items():
        practice = corpora.windows(now.text, tokenizer, "calibration", now.window // 2, draw.steps or 1)
        after = []
        for seed in SEEDS:
            model = models.load()
            draw.prune(model, list(calibration[:, None]), seed)
            before = perplexity(model, evaluation)
            if draw.teacher:
                teacher = models.load()
                distillation.distill(model, teacher, list(practice[:, None]), draw.steps, 1e-3, seed=seed)
            elif draw.steps:
                lora.recover(model, list(practice[:, None]), draw.steps, 1e-3, seed=seed)
            after.append(perplexity(model, evaluation) if draw.steps else before)
            print(f"{name}, seed {seed}: {before:.2f}, then {after[-1]:.2f}", flush=True)
        numbers = (before, *after, statistics.mean(after), max(after) - min(after))
        rows.append([name, *(f"{number:.2f}" for number in numbers)])
    print(columns(["", "before", *(f"seed {seed}" for seed in SEEDS), "mean", "range"], rows))


def masked(ratio: float | None = None) -> Prune:
    """Half of the weights set to zero by Wanda, as in lab 06, or as many as `sliced` cuts; in place."""

    def prune(model: Any, batches: Batches, seed: int) -> None:
        sparsity = 0.5 if ratio is None else amounts.shares(comparison.setting())[ratio]
        apply_masks(model, wanda_masks(model, input_norms(model, batches), sparsity))

    return prune


def sliced(ratio: float, criterion: str = "taylor") -> Prune:
    """A share of the middle blocks removed by a criterion, in place; 0.35 in lab 06."""

    def prune(model: Any, batches: Batches, seed: int) -> None:
        depth = len(model.model.layers)
        with warnings.catch_warnings(action="ignore"):
            prune_blocks(model, ratio, range(depth // 7, depth - depth // 7), criterion, batches, seed)

    return prune


def dropped(model: Any, batches: Batches, seed: int) -> None:
    """A fifth of the blocks gone, those of least influence, in place, as in lab 10."""
    influence = block_influence(residual.stream(model, torch.cat(batches)))
    drop_blocks(model, sorted(influence.argsort()[max(1, len(influence) // 5) :].tolist()))


DRAWS = {
    "lab 06, dense": Draw(lambda model, batches, seed: None, 32),
    "lab 06, Wanda 50 %": Draw(masked(), 32),
    "lab 06, sliced 35 %": Draw(sliced(0.35), 32),
    **{f"lab 08, blocks, random, {ratio:.0%}": Draw(sliced(ratio, "random")) for ratio in amounts.RATIOS},
    **{f"lab 08, Wanda + LoRA, as {ratio:.0%}": Draw(masked(ratio), 24) for ratio in amounts.RATIOS},
    **{f"lab 08, blocks, taylor + LoRA, {ratio:.0%}": Draw(sliced(ratio), 24) for ratio in amounts.RATIOS},
    "lab 10, by labels": Draw(dropped, 16),
    "lab 10, by teacher": Draw(dropped, 16, teacher=True),
}

if __name__ == "__main__":
    main()
