"""The table at the head of a file: what it may say of a model's weights."""

from typing import Annotated, Any, Literal

import torch
from msgspec import Meta, Struct

from labsupport.container import shapes
from labsupport.errors import LabError

MAGIC = b"SPEAKS01"
FLOATS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
HALF = torch.float16  # of scales, zeros and sides
Size = Annotated[int, Meta(ge=1, le=2**31)]
Count = Annotated[int, Meta(ge=0, le=2**31)]


class Refused(LabError):
    """Tensors that fit into no file, or bytes that are none; the text is one sentence for their author."""


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One weight: it has values, or codes with their groups, or a rank alone. groups: of a row."""

    name: Annotated[str, Meta(max_length=200)]
    shape: Annotated[list[Size], Meta(min_length=1, max_length=2)]
    values: Literal["", "float32", "float16", "bfloat16"] = ""
    bits: Annotated[int, Meta(ge=0, le=8)] = 0
    groups: Count = 0
    zeros: bool = False
    mask: Literal["", "bits", "2:4"] = ""
    rank: Count = 0

    @property
    def count(self) -> int:
        """The entries of the weight, dropped ones included."""
        return self.shape[0] * (self.shape[1] if len(self.shape) > 1 else 1)


class Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table of a file. dropped: numbers of blocks."""

    dropped: Annotated[list[Count], Meta(max_length=2000)]
    weights: Annotated[list[Entry], Meta(max_length=2000)]


def must_fit(table: Table, config: Any) -> None:
    """Raise Refused unless the table holds each weight of the model once, none larger than the model's."""
    found = {entry.name: entry.shape for entry in table.weights}
    if len(found) < len(table.weights):
        raise Refused("A weight stands twice in the table.")
    try:
        shapes.must_fit(found, table.dropped, config)
    except ValueError as problem:
        raise Refused(f"{problem}.") from None
    for entry in table.weights:
        if said := _contradiction(entry):
            raise Refused(f"{entry.name}: {said}.")


def _contradiction(entry: Entry) -> str:
    """What an entry says that cannot be; "" if it is sound."""
    columns, base = entry.shape[-1], bool(entry.values) + bool(entry.bits)
    if base > 1 or not (base or entry.rank) or (entry.mask and not base):
        return "it must have values, or codes, or a rank alone"
    if len(entry.shape) == 1 and (entry.bits or entry.mask or entry.rank):
        return "a vector is stored as it is, without parts"
    if bool(entry.bits) != bool(entry.groups) or (entry.zeros and not entry.bits):
        return "codes have groups, and only codes have groups and zeros"
    if entry.groups and columns % entry.groups:
        return f"{entry.groups} groups of a row do not divide its {columns} columns"
    if entry.rank > min(entry.shape):
        return f"rank {entry.rank} is above {min(entry.shape)}, the smaller side"
    if entry.mask == "2:4" and columns % 4:
        return f"2:4 needs columns in fours, and there are {columns}"
    return ""
