"""A model under masks without a second copy of its weights: a block has its masked ones while it runs."""

import functools
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from labsupport.check.ask import recipes
from labsupport.check.ask.bits import unpacked
from labsupport.check.judge.kit import memo
from labsupport.linears import pruned_linears

Room = dict[tuple[str, torch.Size], torch.Tensor]  # for the masked weights of the block that runs


@contextmanager
def masked(recipe: dict, bits: dict[str, torch.Tensor]) -> Iterator[nn.Module]:
    """A block in which a pass through the model of a recipe sees the weights under these masks.

    bits: the masks packed by bits.packed, uint8 [ceil(n / 8)] by layer; other layers are dense. Raises
    KeyError for a name that is not a pruned Linear, and a pass ValueError for a mask of another size.
    """
    key = (json.dumps(recipe), *memo.circumstances())
    model: Any = _kept(*key) if memo.folder else recipes.model(recipe)
    linears, room = pruned_linears(model), Room()
    if unknown := bits.keys() - linears.keys():
        raise KeyError(f"{min(unknown)} is no layer that is pruned")
    with ExitStack() as hooks:
        for number, block in enumerate(model.model.layers):
            front = f"model.layers.{number}."
            dense = {name: linears[name].weight.data for name in bits if name.startswith(front)}  # [out, in]

            def put(*_, dense=dense, front=front) -> None:
                for name, weight in dense.items():
                    linears[name].weight.data = _under(weight, bits[name], name.removeprefix(front), room)

            def back(*_, dense=dense) -> None:
                for name, weight in dense.items():
                    linears[name].weight.data = weight

            hooks.callback(block.register_forward_pre_hook(put).remove)
            hooks.callback(block.register_forward_hook(back).remove)
            hooks.callback(back)  # a pass may end with an error
        yield model


def _under(weight: torch.Tensor, bits: torch.Tensor, kind: str, room: Room) -> torch.Tensor:
    """A weight [out, in] under its mask, in the memory that the block before had."""
    mask, place = unpacked(bits, weight.shape), (kind, weight.shape)
    if place not in room:
        room[place] = torch.empty_like(weight)
    if weight.device.type == "cpu" and weight.dtype is torch.float32:  # numpy is twice as fast as torch
        np.multiply(weight.numpy(), mask.numpy(), out=room[place].numpy())
    else:
        torch.mul(weight, mask.to(weight.device), out=room[place])
    return room[place]


@functools.lru_cache(maxsize=4)
def _kept(recipe: str, *_circumstances: str) -> nn.Module:
    """The model of a recipe; its weights stay in the file that they are mapped from."""
    return recipes.model(json.loads(recipe))
