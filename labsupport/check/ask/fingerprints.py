"""A compact description of a pruned model: a fingerprint of every row or column.

A fingerprint is the first 64 bits of SHA-256 of a row of q, k, v, gate or up, or of a column of o or down.
The judge looks it up in its own copy of the dense model.
"""

import hashlib

import numpy as np
import torch
from torch import nn

from labsupport.check.ask.pruned import digest
from labsupport.linears import pruned_linears

AXIS = {"gate": 0, "up": 0, "down": 1, "q": 0, "k": 0, "v": 0, "o": 1}  # axis of removed structures


def linears_of(model, index: int) -> dict[str, nn.Linear]:
    """The seven Linears of a layer by the first part of their name: q, k, v, o, gate, up and down."""
    modules = model.model.layers[index].named_modules()
    return {
        name.split(".")[-1].removesuffix("_proj"): module
        for name, module in modules
        if isinstance(module, nn.Linear)
    }


def fingerprints(model, layers: range) -> dict[str, dict]:
    """Layer -> weight -> its shape, and the fingerprints of its rows, or columns for o and down.

    A weight that is no dense parameter any more is left out.
    """
    return {
        str(index): {
            name: {"shape": list(linear.weight.shape), "prints": prints(linear.weight, AXIS.get(name, 0))}
            for name, linear in linears_of(model, index).items()
            if _dense(linear)
        }
        for index in layers
    }


def prints(weight: torch.Tensor, axis: int) -> torch.Tensor:
    """The fingerprints of a weight's slices along an axis: int64 [slices]."""
    slices = weight.detach().movedim(axis, 0).cpu() + 0.0  # -0.0 is 0.0 in a product
    # not contiguous(): that keeps the odd stride of an axis of size 1, and view refuses it
    lines = slices.clone(memory_format=torch.contiguous_format).view(torch.uint8).numpy()
    bits = b"".join(hashlib.sha256(line).digest()[:8] for line in lines)
    return torch.from_numpy(np.frombuffer(bits, dtype=np.int64).copy())


def others(model, layers: range) -> dict[str, str]:
    """Digests of every weight without fingerprints: those of other layers, embeddings and norms."""
    pruned = {
        f"{name}.weight"
        for name, linear in pruned_linears(model).items()
        if int(name.split(".")[2]) in layers
        and name.split(".")[-1].removesuffix("_proj") in AXIS  # a Linear more in a layer is none of the seven
        and _dense(linear)
    }
    return {name: digest(weight) for name, weight in model.named_parameters() if name not in pruned}


def _dense(linear: nn.Linear) -> bool:
    """Whether the weight is a parameter whose numbers can be read."""
    weight = linear._parameters.get("weight")
    return weight is not None and weight.layout is torch.strided and weight.device.type != "meta"
