"""The parts of a recovery: LoRA matrices beside pruned layers, and the gradients of a batch."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from labsupport.fetch.instructions import IGNORED
from labsupport.linears import apply_masks, pruned_linears

# peft uses a name that transformers has deprecated
warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)

SCALING = 2.0  # the factor of the product B A: alpha / rank, 16 / 8 in LLM-Pruner
AT_A_TIME = 4  # windows per forward pass; a larger batch is split
Batch = torch.Tensor | dict[str, torch.Tensor]


@contextmanager
def adapters(model: nn.Module, rank: int, dropout: float = 0.05) -> Iterator[Callable[[], None]]:
    """A context with LoRA matrices beside every pruned Linear, in training mode; its exit removes them.

    Yields the function that merges them into the weights; weights that are zero remain zero.
    """
    masks = {name: linear.weight != 0 for name, linear in pruned_linears(model).items()}
    learned, was_training = [weight for weight in model.parameters() if weight.requires_grad], model.training
    config = LoraConfig(
        r=rank, lora_alpha=SCALING * rank, lora_dropout=dropout,  # pyright: ignore[reportArgumentType]  a float will do
        target_modules=list(masks),
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
    """Accumulate the gradients of a batch, a few windows at a time; the mean loss over all its targets."""
    rows = batch if isinstance(batch, dict) else {"input_ids": batch, "labels": batch}
    targets = int((rows["labels"][:, 1:] != IGNORED).sum())
    total = 0.0
    device: Any = model.device  # attributes of nn.Module are untyped
    for start in range(0, len(rows["labels"]), AT_A_TIME):
        part = {name: tokens[start : start + AT_A_TIME].to(device) for name, tokens in rows.items()}
        loss = model(**part, use_cache=False, num_items_in_batch=targets).loss
        loss.backward()
        total += loss.item()
    return total


def trainable(model: nn.Module, rank: int = 8) -> int:
    """The number of weights that LoRA trains: rank * (in + out) for every pruned Linear."""
    return sum(rank * (linear.in_features + linear.out_features) for linear in pruned_linears(model).values())
