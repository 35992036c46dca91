"""How near perplexity and calibration come to the machine's own matrix products, on one core.

The ceiling is the rate of products alone, of the same shapes. Attention is counted causally: half of the
square that the kernel goes through.
"""

import time
from collections import defaultdict
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import nn
from torch.nn import functional

from benchmarks import workload
from benchmarks.job import clocked
from benchmarks.measure import fresh, in_turn
from benchmarks.table import Row
from labsupport.given import macs
from labsupport.given.input_norms import input_norms
from labsupport.given.perplexity import CHUNK, perplexity

LENGTHS = (512, 2048)
COUNT = 2  # windows
WORK = {"perplexity": perplexity, "calibration": lambda model, windows: input_norms(model, windows[:, None])}


def run(lengths: tuple[int, ...] = LENGTHS, rounds: int = 3) -> tuple[list[Row], list[str]]:
    """The rate of each kind of work at each length, as a share of that of products; and where time goes."""
    rows, notes = [], []
    for length in lengths:
        jobs = {"products": partial(fresh, "ceiling:products", length=length)}
        jobs |= {what: partial(fresh, "ceiling:measure", what=what, length=length) for what in WORK}
        found = in_turn(jobs, rounds)
        for what in WORK:
            most, reached = (found["products"][what], found[what]["rate"])
            rates = [f"{rate / 1e9:,.1f} GFLOP/s" for rate in (most, reached)]
            said = f"{what} of {workload.name()}, windows of {length}, one core: rate, against products alone"
            rows.append(Row(said, *rates, ratio=reached / most, goal=">= 0.88"))
            parts = ", ".join(f"{name} {found[what][name]:.0%}" for name in (*PARTS, "all else"))
            notes.append(f"Time of {what}, windows of {length}: {parts}.")
        head, blocks = (found["products"][name] / 1e9 for name in ("head", "blocks"))
        notes.append(
            f"Products alone, {length} tokens: those of the blocks {blocks:.1f} GFLOP/s, the head's, "
            f"{CHUNK} tokens at a time, {head:.1f}."
        )
    return rows, notes


# Each in a process of its own


def products(length: int) -> dict:
    """Operations per second of the products alone: perplexity has the head's, too."""
    torch.set_num_threads(1)
    model: Any = workload.model()
    blocks, head = _timed(_weights(model.model), length), _timed([model.lm_head.weight], length, CHUNK)
    operations, taken = (a + b for a, b in zip(blocks, head, strict=True))
    return {
        "perplexity": operations / taken,
        "calibration": blocks[0] / blocks[1],
        "blocks": blocks[0] / blocks[1],
        "head": head[0] / head[1],
    }


def measure(what: str, length: int) -> dict:
    """Operations per second, and the share of each part in the time, of work on a few windows."""
    torch.set_num_threads(1)
    model: Any = workload.model()
    windows = workload.windows("evaluation", length, COUNT)
    WORK[what](model, windows[:, :16])  # the first one loads code
    _, taken = clocked(lambda: WORK[what](model, windows))
    each = macs.linear_macs(model if what == "perplexity" else model.model, length)
    each += macs.attention_macs(model, length) // 2
    return {"rate": 2 * COUNT * each / taken, **_shares(what, model, windows)}


PARTS = ("products of the blocks", "head", "attention", "norms")


def _shares(what: str, model: Any, windows: torch.Tensor) -> dict[str, float]:
    """The share of each part in the time of this work, by a clock around each."""
    spent: dict[str, float] = defaultdict(float)

    def clock(name: str, function):
        def inner(*arguments, **options):
            started = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent[name] += time.perf_counter() - started

        return inner

    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.forward = clock("head" if module is model.lm_head else PARTS[0], module.forward)
        elif type(module).__name__.endswith("RMSNorm"):
            module.forward = clock("norms", module.forward)
    attention = clock("attention", functional.scaled_dot_product_attention)
    with mock.patch.object(functional, "scaled_dot_product_attention", attention):
        _, taken = clocked(lambda: WORK[what](model, windows))
    shares = {name: spent[name] / taken for name in PARTS}
    return {**shares, "all else": 1 - sum(shares.values())}


def _weights(decoder: nn.Module) -> list[torch.Tensor]:
    return [module.weight for module in decoder.modules() if isinstance(module, nn.Linear)]


@torch.no_grad()
def _timed(weights: list[torch.Tensor], length: int, at_once: int | None = None) -> tuple[int, float]:
    """The operations and seconds of one product of so many tokens with each weight."""
    operations, inputs = 0, {}
    for weight in weights:
        inputs[weight.shape[1]] = torch.randn(length, weight.shape[1])
        operations += 2 * length * weight.numel()

    def multiply() -> None:
        for weight in weights:
            for part in inputs[weight.shape[1]].split(at_once or length):
                functional.linear(part, weight)

    multiply()  # the first one loads code, and the weights
    return operations, clocked(multiply)[1]
