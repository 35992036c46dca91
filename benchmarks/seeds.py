"""`python -m benchmarks.seeds`: lab 06's training, drawn three times for each of its models.

LoRA begins with random numbers, and its dropout draws more. The table says how far apart the perplexities of
draws are, so that lab 06 can say which differences mean something. A quarter of an hour on two CPU cores.
"""

import statistics
import warnings
from collections.abc import Callable
from typing import Any

from labsupport import corpora, models, settings
from labsupport.given import lora
from labsupport.given.blocks import prune_blocks
from labsupport.given.input_norms import input_norms
from labsupport.given.perplexity import perplexity
from labsupport.given.wanda import wanda_masks
from labsupport.linears import apply_masks
from labsupport.table import columns

SEEDS = (0, 1, 2)  # the lab's own draw is the first
STEPS = 32


def main() -> None:
    """Train each model with each seed; print perplexity before and after, line by line and as a table."""
    now, tokenizer = settings.current(), models.tokenizer()
    evaluation = corpora.windows(now.text, tokenizer, "evaluation", now.window, now.evaluation_windows)
    calibration = corpora.windows(now.text, tokenizer, "calibration", now.window, now.calibration_windows)
    practice = corpora.windows(now.text, tokenizer, "calibration", now.window // 2, STEPS)[:, None]
    rows = []
    for name, prune in PATIENTS.items():
        after = []
        for seed in SEEDS:
            model = models.load()
            prune(model, list(calibration[:, None]))
            before = perplexity(model, evaluation)
            lora.recover(model, list(practice), STEPS, 1e-3, seed=seed)
            after.append(perplexity(model, evaluation))
            print(f"{name}, seed {seed}: {before:.2f}, then {after[-1]:.2f}", flush=True)
        numbers = (before, *after, statistics.mean(after), max(after) - min(after))
        rows.append([name, *(f"{number:.2f}" for number in numbers)])
    print(columns(["", "before", *(f"seed {seed}" for seed in SEEDS), "mean", "range"], rows))


def masked(model: Any, batches: list) -> None:
    """Half of the weights set to zero by Wanda, in place, as in lab 06."""
    apply_masks(model, wanda_masks(model, input_norms(model, batches), 0.5))


def sliced(model: Any, batches: list) -> None:
    """35 % of the middle blocks removed by taylor, in place, as in lab 06."""
    depth = len(model.model.layers)
    with warnings.catch_warnings(action="ignore"):
        prune_blocks(model, 0.35, range(depth // 7, depth - depth // 7), "taylor", batches)


PATIENTS: dict[str, Callable[[Any, list], Any]] = {
    "dense": lambda model, batches: None,
    "Wanda 50 %": masked,
    "sliced 35 %": sliced,
}

if __name__ == "__main__":
    main()
