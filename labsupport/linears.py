"""The layers that are pruned; masks on them: applied, undone and measured.

A mask is a bool tensor of its weight's shape, True = keep. Dicts are keyed by the module's full name.
"""

import contextlib
import weakref
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import torch
from torch import nn

from labsupport.errors import LabError
from labsupport.graded import being_graded
from labsupport.memory import give_back
from labsupport.progress import in_a_notebook

ON_PURPOSE: weakref.WeakSet[nn.Module] = weakref.WeakSet()  # models that somebody wants sparse as they are
EXPECTED = ContextVar("EXPECTED", default=False)  # whether any sparse model is
FEW_ZEROS = 0.05  # a stored model has a few zeros of its own


def pruned_linears(model: nn.Module) -> dict[str, nn.Linear]:
    """Every Linear of the decoder layers by its full name, without embeddings, norms and lm_head.

    As in Wanda (Sun et al. 2024, section 4): the linear layers of the decoder are pruned, the
    embedding and the head are not.
    """
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and ".layers." in f".{name}."
    }


def must_fit(model: nn.Module, length: int) -> None:
    """Raise LabError when windows of this length exceed the model's context."""
    config: Any = model.config
    context = config.max_position_embeddings
    if length > context:
        raise LabError(f"Windows of {length:,} tokens are longer than the model's context of {context:,}.")


@torch.no_grad()
def apply_masks(model: nn.Module, masks: dict[str, torch.Tensor]) -> None:
    """Set the dropped weights to zero, in place; kept weights remain bit-identical.

    Raises KeyError for a name that is no pruned Linear and ValueError for a mask of another shape.
    """
    linears = pruned_linears(model)
    for name, mask in masks.items():
        weight = linears[name].weight  # [out_features, in_features]
        if mask.shape != weight.shape:
            raise ValueError(f"the mask of {name} is {tuple(mask.shape)}, its weight {tuple(weight.shape)}")
        weight.mul_(mask.to(weight.device))  # several times faster than masked_fill_ on a CPU


class Interrupted(KeyboardInterrupt):
    """An interrupt in a `with masked(...)` block; IPython shows its one line and no traceback."""

    def _render_traceback_(self) -> list[str]:
        return ["Interrupted. The model has its weights back."]


@contextlib.contextmanager
def masked(model: nn.Module, masks: dict[str, torch.Tensor]) -> Iterator[None]:
    """A block in which the model has these masks; the weights are back after it, whatever ends it.

    The block works on copies of the masked weights, so what it changes in them is undone as well. Forward
    hooks that it leaves are taken off: an interrupted function may not come to it, and a hook that prunes
    would go on in every later pass. Raises as apply_masks does.
    """
    linears = pruned_linears(model)
    before = {name: linears[name].weight.data for name in masks}  # [out_features, in_features] each
    hooks = [(each, set(each)) for each in _forward_hooks(model)]
    outermost = model not in ON_PURPOSE
    try:
        for name, weight in before.items():
            linears[name].weight.data = weight.clone()
        apply_masks(model, masks)
        ON_PURPOSE.add(model)
        yield
    except KeyboardInterrupt:
        raise Interrupted from None
    finally:
        if outermost:
            ON_PURPOSE.discard(model)
        for name, weight in before.items():
            linears[name].weight.data = weight
        for now, kept in hooks:
            for number in now.keys() - kept:
                del now[number]
        give_back()


def _forward_hooks(model: nn.Module) -> Iterator[dict[int, Any]]:
    """The hooks before and after the forward pass of every module, by the number of their handle."""
    for module in model.modules():
        yield module._forward_pre_hooks
        yield module._forward_hooks


def must_be_dense(model: nn.Module) -> None:
    """Raise LabError when the model was pruned and has not got its weights back."""
    share = model_sparsity(model)
    if share > FEW_ZEROS:
        raise LabError(
            f"{share:.0%} of the model's weights are zero: run the cell that loads the model again."
        )


def sparse_on_purpose(model: nn.Module) -> None:
    """Say that this model is measured as it is, zeros and all: `tell_if_sparse` is silent about it."""
    ON_PURPOSE.add(model)


@contextlib.contextmanager
def sparse_models_expected() -> Iterator[None]:
    """A block in which no model says that it is sparse: a check prunes models of its own."""
    before = EXPECTED.set(True)
    try:
        yield
    finally:
        EXPECTED.reset(before)


def tell_if_sparse(model: nn.Module) -> None:
    """Print one line in a notebook where a model is sparse and nobody has said that it should be.

    It goes to standard output, so no cell fails by it; under grading, in commands and in checks it is silent.
    """
    if EXPECTED.get() or being_graded() or not in_a_notebook() or model in ON_PURPOSE:
        return
    if (share := model_sparsity(model)) > FEW_ZEROS:
        print(
            f"(Measured with {share:.0%} of the model's weights at zero. For the dense model, load it again.)"
        )


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights that pruning may change, by full name: [out_features, in_features] each, not copied."""
    return {name: linear.weight.detach() for name, linear in pruned_linears(model).items()}


def model_sparsity(model: nn.Module) -> float:
    """The share of zeros, 0 to 1, among the weights that pruning may change."""
    linears = pruned_linears(model).values()
    zeros = sum(int((linear.weight == 0).sum()) for linear in linears)
    return zeros / sum(linear.weight.numel() for linear in linears)


def layer_kind(name: str) -> str:
    """The last part of a full name: `q_proj` for `model.layers.0.self_attn.q_proj`."""
    return name.rsplit(".", 1)[-1]
