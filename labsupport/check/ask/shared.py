"""Under grading, the perplexity of the masked course model is asked of the examiner, not measured here.

The examiner is sent the masks and nothing else. It believes nothing it is told: it sets them on its own
copy of the model and measures, once for each distinct set of masks of a class. Anything that is not
just the course model under masks, on the course's evaluation windows, is measured where it is.
"""

import functools
import os
import socket
from functools import cache

import numpy as np
import torch
from torch import nn
from torch.nn.modules import module as hooks
from transformers import LlamaForCausalLM

from labsupport import models
from labsupport.check.ask import recipes, wire
from labsupport.check.ask.bits import packed_one
from labsupport.errors import LabError
from labsupport.linears import pruned_linears
from labsupport.settings import SOCKET

SECONDS = 900  # that the examiner may take: others may be waiting for the same number


def take_over() -> None:
    """Put the perplexity that asks in the place of the given one; where none is given, do nothing."""
    try:
        from labsupport.given import perplexity as given
    except (ImportError, LabError):
        return
    measure = given.perplexity
    if getattr(measure, "asks", False):
        return

    @functools.wraps(measure)
    def perplexity(model: nn.Module, token_windows: torch.Tensor) -> float:
        address = os.environ.get(SOCKET)
        known = asked(model, token_windows, address) if address else None
        return measure(model, token_windows) if known is None else known

    setattr(perplexity, "asks", True)  # noqa: B010  a mark that no type knows
    given.perplexity = perplexity


def asked(model: nn.Module, token_windows: torch.Tensor, address: str) -> float | None:
    """What the examiner at this address says, or None where it is to be measured here."""
    masks = course_masks(model, token_windows)
    if masks is None:
        return None
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SECONDS)
            connection.connect(address)
            wire.send(connection, {"masks": masks})
            answer = wire.receive(connection)["perplexity"]
    except (OSError, EOFError, wire.WireError, LookupError, TypeError):
        return None
    return answer if isinstance(answer, float) else None


def course_masks(model: nn.Module, token_windows: torch.Tensor) -> dict[str, torch.Tensor] | None:
    """The masks, packed, under which the course model is this very model, or None when there are none.

    None too for a model that is not computed as it is built (hooks, a forward of its own), and for
    other windows than the course's.
    """
    if type(model) is not LlamaForCausalLM or not _as_built(model):
        return None
    if not torch.equal(token_windows.cpu(), recipes.windows(recipes.course_windows("evaluation"))):
        return None
    weights, dense = dict(model.named_parameters()), stored()
    if weights.keys() != dense.keys():
        return None
    pruned, masks = pruned_linears(model), {}
    for name, weight in weights.items():
        reference, zeros = dense[name]
        form = (weight.shape, weight.dtype, weight.device)
        if form != (reference.shape, reference.dtype, reference.device):
            return None
        layer = name.removesuffix(".weight")
        kept = _where_equal(weight, reference)
        count = _true(kept)
        if layer in pruned and (
            count == kept.numel() or count + _true(_where_equal(weight, 0)) == kept.numel() + zeros
        ):
            # every weight is its own or zero; where the stored one is zero it is both
            masks[layer] = packed_one(kept.cpu().numpy())
        elif count < kept.numel():
            return None
    return masks


def _where_equal(weight: torch.Tensor, other: torch.Tensor | float) -> torch.Tensor:
    """Where a weight equals another, or a number; numpy is three times faster than torch on a CPU."""
    weight = weight.detach()
    if weight.is_cuda:
        return weight == other
    return torch.from_numpy(weight.numpy() == (other.numpy() if isinstance(other, torch.Tensor) else other))


def _true(these: torch.Tensor) -> int:
    """How many are True; numpy counts them ten times faster than torch does on a CPU."""
    return int(these.count_nonzero() if these.is_cuda else np.count_nonzero(these.numpy()))


def _as_built(model: nn.Module) -> bool:
    if hooks._global_forward_hooks or hooks._global_forward_pre_hooks:
        return False
    return not any(
        each._forward_hooks or each._forward_pre_hooks or "forward" in vars(each) for each in model.modules()
    )


@cache
def stored() -> dict[str, tuple[torch.Tensor, int]]:
    """The course model's weights as they are stored, by name, each with the number of its zeros."""
    weights = {name: weight.detach() for name, weight in models.load().named_parameters()}
    return {name: (weight, _true(_where_equal(weight, 0))) for name, weight in weights.items()}
