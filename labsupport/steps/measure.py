"""`python -m labsupport measure`: parameters, MACs layer by layer, peak memory and latency."""

import argparse
from typing import Any

import torch
from torch import nn

from labsupport import cost
from labsupport.errors import LabError
from labsupport.given import macs
from labsupport.linears import must_fit
from labsupport.steps import loading, record
from labsupport.table import columns

REPEATS = 7  # forward passes per median


def run(chosen: argparse.Namespace) -> None:
    """Measure a model on one text of --tokens tokens, keep the numbers, and print them."""
    if chosen.tokens < 1:
        raise LabError(f"--tokens is {chosen.tokens}: it must be 1 or more.")
    subject = record.subject(chosen.model)
    model = loading.load(subject.name)
    found = measured(model, chosen.tokens)
    how = record.conditions() | {
        "MACs": "multiply-accumulates of the Linear layers, lm_head included",
        "memory": "bytes of the weights, plus the peak of one forward pass",
        "latency": f"median and quartiles of {REPEATS} forward passes of one text, in seconds",
    }
    record.keep(subject, "measure", {"tokens": chosen.tokens}, how, found)
    print(f"{as_text(model, chosen.tokens)}\n\n{said(found, chosen.tokens, how['device'])}")


@torch.no_grad()
def measured(model: Any, tokens: int) -> dict:
    """Counts, bytes and seconds of one text of so many tokens; raises LabError if it is too long."""
    must_fit(model, tokens)
    text = torch.zeros(1, tokens, dtype=torch.long, device=model.device)

    def forward() -> None:
        model(text, use_cache=False)

    forward()  # the first call loads code
    _, peak = cost.peak_memory(forward)
    seconds, quartiles = cost.latency(forward, REPEATS)
    weights = cost.weight_bytes(model)
    return {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "macs": macs.linear_macs(model, tokens),
        "attention_macs": macs.attention_macs(model, tokens),
        "weight_bytes": weights,
        "peak_bytes": weights + peak,
        "seconds": seconds,
        "quartiles": list(quartiles),
        "layers": [line.__dict__ for line in macs.by_layer(model, tokens)],
    }


def as_text(model: nn.Module, tokens: int) -> str:
    """The layers as the report lists them, each with its part of all parameters and MACs."""
    lines = macs.by_layer(model, tokens)
    whole = lines[0]
    rows = [
        ["  " * line.depth + line.name, short(line.parameters), f"{line.parameters / whole.parameters:.3%}",
         f"{short(line.macs)}Mac" if line.macs else "-", f"{line.macs / whole.macs:.3%}", line.shape]
        for line in lines
    ]  # fmt: skip
    header = ["layer", "parameters", "of all", f"MACs, {tokens} tokens", "of all", "weight"]
    return columns(header, rows)


def short(count: int) -> str:
    """A count in the report's form: 1.1 G, 921.65 M, 524.29 k, 64."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{round(count / size, 2)} {unit}"
    return f"{count} "


def said(found: dict, tokens: int, device: str) -> str:
    """The totals, exactly, one a line."""
    low, high = found["quartiles"]
    rows = [
        ["parameters", f"{found['parameters']:,}"],
        [f"MACs of Linear layers, {tokens} tokens", f"{found['macs']:,}"],
        ["MACs of attention's own products", f"{found['attention_macs']:,}"],
        ["weights, MiB", f"{found['weight_bytes'] / 2**20:,.2f}"],
        ["weights and one forward pass at its peak, MiB", f"{found['peak_bytes'] / 2**20:,.2f}"],
        ["one forward pass, ms (quartiles)",
         f"{found['seconds'] * 1e3:,.1f} ({low * 1e3:,.1f} to {high * 1e3:,.1f})"],
    ]  # fmt: skip
    return columns(["in all", f"on {device}"], rows)
