"""Tensors become a file."""

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np
import torch

from labsupport.container import bit_packing, shapes
from labsupport.container.table import FLOATS, HALF, MAGIC, Entry, Refused, Table, must_fit

PART = re.compile(r"(codes[1-8]|scale|zero|mask|left|right)")
HEAD = "lm_head.weight"
WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)  # of codes and blocks' numbers
PARTS = "NAME.codes4 (1 to 8 bits), NAME.scale, NAME.zero, NAME.mask, NAME.left, NAME.right"


def encode(parts: Mapping[str, torch.Tensor], config: Any) -> bytes:
    """The file of these tensors for a model of this config. Raises Refused with one sentence."""
    if not isinstance(parts, Mapping):
        what = "None: is a return missing?" if parts is None else f"a {type(parts).__name__}."
        raise Refused(f"A file is made of a dict of tensors by name; this is {what}")
    for name, tensor in parts.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            kind = type(tensor).__name__
            kind = f"an {kind}" if kind[0] in "aeio" else f"a {kind}"
            raise Refused(f"A file is made of a dict of tensors by name; {str(name)[:100]} is {kind}.")
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_nested or tensor.is_meta:
            raise Refused(f"{name[:100]} is no plain dense tensor; to_dense() or dequantize() makes it one.")
    dropped = parts.get("dropped", torch.zeros(0, dtype=torch.int64))
    if dropped.dim() != 1 or dropped.dtype not in WHOLE:
        raise Refused("'dropped' is a LongTensor [n]: the numbers of the blocks that are gone.")
    found: list[tuple[Entry, list[bytes]]] = []
    for name, own in _by_weight(parts, config).items():
        found.append(_Encoding(name, {part: value.detach().cpu() for part, value in own.items()}).encoded())
    table = Table(dropped=sorted(dropped.tolist()), weights=[entry for entry, _ in found])
    must_fit(table, config)
    head = msgspec.json.encode(table)
    sections = [section for _, sections in found for section in sections]
    return b"".join([MAGIC, len(head).to_bytes(4, "little"), head, *sections])


def _by_weight(parts: Mapping[str, torch.Tensor], config: Any) -> dict[str, dict[str, torch.Tensor]]:
    """The parts of each weight, by its name in the model's order; a weight as it is has the part ""."""
    known = shapes.shapes(config)
    found: dict[str, dict[str, torch.Tensor]] = {name: {} for name in known}
    for key, tensor in parts.items():
        name, _, part = key.rpartition(".")
        if key in known:
            found[key][""] = tensor
        elif name in known and PART.fullmatch(part):
            found[name][part] = tensor
        elif key == HEAD and shapes.EMBEDDING in parts:
            if not torch.equal(tensor.float(), parts[shapes.EMBEDDING].float()):
                raise Refused(f"{HEAD} is tied to the embedding and is not stored; this one differs.")
        elif key == HEAD or key.startswith(f"{HEAD}."):
            raise Refused(f"{HEAD} is tied to the embedding and is not stored: leave out '{key[:100]}'.")
        elif key != "dropped":
            raise Refused(f"'{key[:100]}' is no weight of the model and no part of one; parts are {PARTS}.")
    return {name: own for name, own in found.items() if own}


class _Encoding:
    """One weight on its way into a file. parts: its tensors on the CPU."""

    def __init__(self, name: str, parts: dict[str, torch.Tensor]):
        self.name, self.parts = name, parts
        self.codes = [part for part in parts if part.startswith("codes")]
        self.base = [*self.codes, *([""] if "" in parts else [])]
        self.mask = parts.get("mask")

    def encoded(self) -> tuple[Entry, list[bytes]]:
        """Its entry in the table, and its sections in their order."""
        if len(self.base) > 1:
            raise Refused(f"{self.name} is there twice: as {' and as '.join(map(self._called, self.base))}.")
        rank, sides = self._sides()
        if not self.base and not rank:
            raise Refused(f"{self.name} has neither values nor codes, nor a left and a right.")
        shape = list(self.parts[self.base[0]].shape) if self.base else [len(sides[0]), sides[1].shape[1]]
        if len(shape) not in (1, 2) or 0 in shape:
            raise Refused(f"{self.name} has the shape {tuple(shape)}: rows and columns are needed.")
        if len(shape) == 1 and self.parts.keys() != {""}:
            raise Refused(f"{self.name} is a vector: it is stored as it is, without parts.")
        for side, wanted in zip(sides, ((shape[0], rank), (rank, shape[-1])), strict=False):
            if tuple(side.shape) != wanted:
                raise Refused(f"{self.name}: left and right are {tuple(sides[0].shape)} and "
                              f"{tuple(sides[1].shape)}, the weight is {tuple(shape)}.")  # fmt: skip
        form, masked = self._masked(shape)
        more, sections = self._codes(shape) if self.codes else self._values()
        sections += [_halves(side, self.name) for side in sides]
        return Entry(name=self.name, shape=shape, mask=form, rank=rank, **more), [*masked, *sections]

    def _called(self, part: str) -> str:
        return f"{self.name}.{part}" if part else self.name

    def _sides(self) -> tuple[int, list[torch.Tensor]]:
        sides = [self.parts[part] for part in ("left", "right") if part in self.parts]
        if len(sides) == 1 or any(side.dim() != 2 for side in sides):
            raise Refused(f"{self.name}: left [rows, rank] and right [rank, columns] go together.")
        return (sides[0].shape[1], sides) if sides else (0, [])

    def _masked(self, shape: list[int]) -> tuple[Literal["", "bits", "2:4"], list[bytes]]:
        if self.mask is None:
            return "", []
        if self.mask.dtype is not torch.bool or list(self.mask.shape) != shape or not self.base:
            raise Refused(
                f"{self.name}.mask is {self.mask.dtype} {tuple(self.mask.shape)}: it must be torch.bool, "
                f"True = keep, of the shape of the values or codes, {tuple(shape)}."
            )
        mask = self.mask.numpy()
        if bit_packing.is_two_of_four(mask):
            return "2:4", [bit_packing.packed_two_of_four(mask)]
        return "bits", [np.packbits(mask, bitorder="little").tobytes()]

    def _kept(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.reshape(-1) if self.mask is None else tensor[self.mask]

    def _values(self) -> tuple[dict, list[bytes]]:
        if extra := [part for part in ("scale", "zero") if part in self.parts]:
            raise Refused(f"{self._called(extra[0])} belongs to codes, and {self.name} has none.")
        if not self.base:
            return {}, []
        values = self._kept(self.parts[""])
        kind = str(values.dtype).removeprefix("torch.")
        if kind not in FLOATS:
            raise Refused(f"{self.name} is {values.dtype}; a weight is {', '.join(FLOATS)}, or has codes.")
        return {"values": kind}, [_bytes(values, self.name)]

    def _codes(self, shape: list[int]) -> tuple[dict, list[bytes]]:
        (part,) = self.codes
        codes, bits = self.parts[part], int(part.removeprefix("codes"))
        if codes.dtype not in WHOLE:
            raise Refused(f"{self._called(part)} is {codes.dtype}: codes are whole numbers, torch.uint8.")
        low, high = int(codes.min()), int(codes.max())
        if low < 0 or high >= 2**bits:
            odd = low if low < 0 else high
            raise Refused(
                f"{self._called(part)} holds {odd}: {bits} bits hold 0 to {2**bits - 1}; clamp the codes."
            )
        if "scale" not in self.parts:
            raise Refused(f"{self.name} has codes without {self.name}.scale, [rows, groups].")
        pairs = [name for name in ("scale", "zero") if name in self.parts]
        for name in pairs:
            found = tuple(self.parts[name].shape)
            groups = found[1] if len(found) == 2 else 0
            if not groups or found[0] != shape[0] or shape[1] % groups or found != self.parts["scale"].shape:
                raise Refused(
                    f"{self._called(name)} is {found}: it must be [rows, groups] for {tuple(shape)}, scale "
                    "and zero alike, and the groups of a row must divide its columns."
                )
        packed = bit_packing.packed_codes(self._kept(codes).to(torch.uint8).numpy(), bits)
        more = {"bits": bits, "groups": self.parts["scale"].shape[1], "zeros": "zero" in self.parts}
        return more, [packed, *(_halves(self.parts[name], self._called(name)) for name in pairs)]


def _halves(tensor: torch.Tensor, name: str) -> bytes:
    return _bytes(tensor.to(HALF), name)


def _bytes(tensor: torch.Tensor, name: str) -> bytes:
    """The bytes of a tensor. Raises Refused where one of its numbers is NaN or infinite."""
    if not bool(tensor.isfinite().all()):
        raise Refused(f"{name} holds NaN or infinity, or more than its type holds (float16: 65504).")
    return tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes()
