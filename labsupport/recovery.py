"""The given recovery, lab 06: LoRA training of a pruned model by peft, merged back into its weights.

The base is frozen; two small matrices beside every pruned Linear learn. Every weight that is zero before
the training is zero after it, to the last one, so no mask need be handed in.

While it trains, the product B A is dense; it is masked once, when it is merged. To train the masked product
instead took half as long again and came out no better: at Wanda 50 % and 32 steps of 256 tokens the
perplexity fell from 49.05 to 35.77 this way and to 36.12 that way.
"""

import importlib
import json
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from labsupport.instructions import IGNORED, alpaca
from labsupport.linears import apply_masks, must_fit, pruned_linears
from labsupport.progress import bar
from labsupport.settings import LabError

# peft reads a name that transformers is about to rename
warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)

SCALING = 2.0  # of the product B A: LoRA's alpha over its rank; 16 / 8 in LLM-Pruner
AT_A_TIME = 4  # windows in memory at one time; a larger batch is worked off in parts
Batch = torch.Tensor | dict[str, torch.Tensor]


def recover(
    model: nn.Module,
    batches: Iterable[Batch],
    steps: int,
    learning_rate: float,
    *,
    rank: int = 8,
    seed: int = 0,
    log: str | Path | None = None,
    wandb: bool = False,
) -> list[float]:
    """Train LoRA matrices beside every pruned Linear and merge them, in place; the loss of every step.

    batches: LongTensors [B, L] of token ids, or dicts of input_ids, attention_mask and labels; begun
    anew when the steps outrun them. AdamW, whose learning rate rises over the first tenth of the steps
    and then falls to zero in a line. Zeros stay zeros; embeddings, norms and lm_head stay as they are.
    log: a folder that gets losses.jsonl, a line a step. wandb: log to Weights & Biases as well.
    An interrupt ends the training and keeps what was learned. Raises LabError where training cannot
    begin, and when a step gives NaN: the model is then as it was before the training.
    Source: Hu et al. 2022 (LoRA); Ma et al. 2023 (LLM-Pruner), post_training.py.
    """
    batches = list(batches)
    _trainable(model, batches, steps)
    losses: list[float] = []
    with ExitStack() as stack:
        loggers = _loggers(stack, log, wandb, {"steps": steps, "learning_rate": learning_rate, "rank": rank})
        stack.enter_context(_seeded(model, seed))
        merge = stack.enter_context(adapters(model, rank))
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(weights, lr=learning_rate, weight_decay=0.0)
        warm = max(steps // 10, 1)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / warm, (steps - step) / max(steps - warm, 1))
        )
        try:
            progress = stack.enter_context(bar(islice(cycle(batches), steps), "recovery", total=steps))
            for batch in progress:
                optimizer.zero_grad()
                losses.append(backward(model, batch))
                for write in loggers:
                    write(len(losses), losses[-1])
                length = nn.utils.clip_grad_norm_(weights, 1.0)
                if not math.isfinite(losses[-1] + length.item()):
                    raise LabError(_failed(f"Step {len(losses)}", losses[-1], learning_rate))
                optimizer.step()
                schedule.step()
                progress.set_postfix(loss=f"{losses[-1]:.3f}")
        except KeyboardInterrupt:
            print(f"Interrupted after {len(losses)} of {steps} steps: what was learned is kept.")
        if not all(bool(weight.isfinite().all()) for weight in weights):
            raise LabError(_failed("The last step", losses[-1], learning_rate))
        merge()
    return losses


@contextmanager
def adapters(model: nn.Module, rank: int, dropout: float = 0.05) -> Iterator[Callable[[], None]]:
    """LoRA matrices beside every pruned Linear, in training mode, while this lasts; no trace afterwards.

    Gives the function that merges them into the weights, with the zeros left zero.
    """
    masks = {name: linear.weight != 0 for name, linear in pruned_linears(model).items()}
    learned, was_training = [weight for weight in model.parameters() if weight.requires_grad], model.training
    config = LoraConfig(
        r=rank, lora_alpha=SCALING * rank, lora_dropout=dropout, target_modules=list(masks)
    )  # fmt: skip
    lora = get_peft_model(model, config).train()
    merged = False

    def merge() -> None:
        nonlocal merged
        merged = True
        lora.merge_and_unload()
        apply_masks(model, masks)

    try:
        yield merge
    finally:
        if not merged:
            lora.unload()
        model.train(was_training)
        for weight in learned:
            weight.requires_grad_(True)


def backward(model: nn.Module, batch: Batch) -> float:
    """Add a batch's gradients, a few windows at a time; its loss, the mean over all its targets."""
    rows = batch if isinstance(batch, dict) else {"input_ids": batch, "labels": batch}
    targets = int((rows["labels"][:, 1:] != IGNORED).sum())
    total = 0.0
    for start in range(0, len(rows["labels"]), AT_A_TIME):
        part = {name: tokens[start : start + AT_A_TIME].to(model.device) for name, tokens in rows.items()}
        loss = model(**part, use_cache=False, num_items_in_batch=targets).loss
        loss.backward()
        total += loss.item()
    return total


def trainable(model: nn.Module, rank: int = 8) -> int:
    """How many weights LoRA trains: rank * (in + out) for every pruned Linear."""
    return sum(rank * (linear.in_features + linear.out_features) for linear in pruned_linears(model).values())


def recover_as_reported(model: nn.Module, tokenizer, log: str | Path, *, wandb: bool = False) -> list[float]:
    """The report's recovery: rank 8, learning rate 1e-4, two epochs of alpaca-cleaned, batches of 64.

    About 1,600 steps of 64 instructions: for a GPU. Needs the model hub, or its files fetched before;
    raises LabError. log and wandb as in `recover`. Source: K. D. Herbst and S. Viet, section 6 (Tuning).
    """
    batches = alpaca(tokenizer, epochs=2, size=64)
    return recover(model, batches, len(batches), 1e-4, rank=8, log=log, wandb=wandb)


def _trainable(model: nn.Module, batches: list[Batch], steps: int) -> None:
    if not batches or steps < 1:
        raise LabError(f"There is nothing to train on: {len(batches)} batches, {steps} steps.")
    if model.dtype is torch.float16:
        raise LabError("Training in float16 ends in NaN: load the model in float32 or bfloat16.")
    for batch in batches:
        must_fit(model, (batch["input_ids"] if isinstance(batch, dict) else batch).shape[-1])


def _failed(when: str, loss: float, learning_rate: float) -> str:
    return (
        f"{when} gave numbers that are not finite (loss {loss:g}): the model is as it was before the "
        f"training. Try a learning rate below {learning_rate:g}."
    )


@contextmanager
def _seeded(model: nn.Module, seed: int) -> Iterator[None]:
    """Initialisation and dropout are drawn from this seed; the generators are as found afterwards."""
    with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _loggers(stack: ExitStack, folder: str | Path | None, wandb: bool, about: dict) -> list[Callable]:
    """Functions of a step and its loss, closed with the stack. Raises LabError for wandb not at hand."""
    loggers = []
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        file = stack.enter_context((Path(folder) / "losses.jsonl").open("w", buffering=1))  # line by line
        loggers.append(lambda step, loss: file.write(json.dumps({"step": step, "loss": loss}) + "\n"))
    if wandb:
        instead = "leave `wandb` out and name a folder in `log`: the losses are kept there."
        try:
            service = importlib.import_module("wandb")
        except ImportError:
            raise LabError(f"Weights & Biases is not installed; {instead}") from None
        if not service.api.api_key:
            raise LabError(f"Nobody is logged in to Weights & Biases; {instead}")
        run = stack.enter_context(service.init(project="pruning-labs", config=about))
        loggers.append(lambda step, loss: run.log({"loss": loss}, step=step))
    return loggers
