"""Under grading, the examiner measures the perplexity of the masked course model, not the sandbox.

The sandbox sends the masks and nothing else. The examiner applies them to its own copy of the model and
measures once for each distinct set of masks in a class. For any other model, and for any windows other
than the course's evaluation windows, the sandbox measures the perplexity itself.
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

from labsupport import models, settings
from labsupport.check.ask import recipes, wire
from labsupport.check.ask.bits import packed_one
from labsupport.errors import LabError
from labsupport.graded import SOCKET
from labsupport.linears import pruned_linears

SECONDS = 900  # time limit for the examiner: other submissions may wait for the same number


def take_over() -> None:
    """Replace the given perplexity by one that asks the examiner; without a given one, do nothing."""
    try:
        import labsupport.given.perplexity as given
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

    setattr(perplexity, "asks", True)  # noqa: B010  an attribute that function types lack
    given.perplexity = perplexity


def asked(model: nn.Module, token_windows: torch.Tensor, address: str) -> float | None:
    """The perplexity from the examiner at this address, or None if this process must measure it."""
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
    """The packed masks that turn the course model into this model, or None when there are none.

    Also None for a model with hooks or a replaced forward, and for windows other than the course's.
    """
    if type(model) is not LlamaForCausalLM or not _as_built(model) or model.device != settings.device():
        return None
    if not torch.equal(token_windows.cpu(), recipes.windows(recipes.course_windows("evaluation"))):
        return None
    weights, dense = dict(model.named_parameters()), stored()
    if weights.keys() != dense.keys():
        return None
    pruned, masks = pruned_linears(model), {}
    for name, weight in weights.items():
        reference, zeros = dense[name]
        if (weight.shape, weight.dtype) != (reference.shape, reference.dtype):
            return None
        weight = weight.detach().cpu()
        layer = name.removesuffix(".weight")
        kept = _where_equal(weight, reference)
        count = _true(kept)
        if layer in pruned and (
            count == kept.numel() or count + _true(_where_equal(weight, 0)) == kept.numel() + zeros
        ):
            # every weight is the stored one or zero; a stored zero counts twice
            masks[layer] = packed_one(kept.numpy())
        elif count < kept.numel():
            return None
    return masks


def _where_equal(weight: torch.Tensor, other: torch.Tensor | float) -> torch.Tensor:
    """Elementwise equality of a weight and another, or a number; numpy is three times as fast as torch."""
    return torch.from_numpy(_array(weight) == (_array(other) if isinstance(other, torch.Tensor) else other))


def _array(weight: torch.Tensor) -> np.ndarray:
    """The numbers of a weight; numpy has no bfloat16, and float32 holds each of its values."""
    return (weight.float() if weight.dtype is torch.bfloat16 else weight).numpy()


def _true(these: torch.Tensor) -> int:
    """The number of True entries; numpy is ten times as fast as torch."""
    return int(np.count_nonzero(these.numpy()))


def _as_built(model: nn.Module) -> bool:
    if hooks._global_forward_hooks or hooks._global_forward_pre_hooks:
        return False
    return not any(
        each._forward_hooks or each._forward_pre_hooks or "forward" in vars(each) for each in model.modules()
    )


@cache
def stored() -> dict[str, tuple[torch.Tensor, int]]:
    """The stored weights of the course model by name, on the CPU, each with its number of zeros."""
    weights = {name: weight.detach() for name, weight in models.load(device="cpu").named_parameters()}
    return {name: (weight, _true(_where_equal(weight, 0))) for name, weight in weights.items()}
