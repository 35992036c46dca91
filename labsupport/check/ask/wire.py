"""Messages between a check cell and the examiner: JSON for the structure, safetensors for the tensors.

A message is a tree of None, bool, int, float, str, list, tuple, dict (str keys) and tensors; never pickle.
Any other value becomes an `Opaque`, which holds only the name of its type, so that no object of the student
reaches the examiner, for example one whose `==` is always true.

An unpacked message takes memory in proportion to its bytes: the structure and the table of tensors are
bounded in length, depth and count; each tensor is used once and has exactly the bytes that its shape and type
need (a bool takes a bit in the message and a byte in memory).
"""

import json
import math
import re
import socket
import struct
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

LIMIT = 96 * 2**20  # bytes in one message; the course model in 4 bits takes 84 MB, its masks 14 MB
STRUCTURE_LIMIT = 2**20  # bytes of the JSON part
TABLE_LIMIT = 2 * STRUCTURE_LIMIT  # bytes of the names and places of tensors, the header of safetensors
COUNT_LIMIT = 50_000  # values in the JSON part
TEXT_LIMIT = 10_000  # characters in one string
DEPTH_LIMIT = 20
AXES_LIMIT = 16
DTYPES = {
    str(dtype): dtype
    for dtype in (
        torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
        torch.float16, torch.bfloat16, torch.float32, torch.float64,
    )
}  # fmt: skip
LIBRARIES = {*sys.stdlib_module_names, "numpy", "torch", "transformers", "peft"} - {"builtins", "__main__"}
MARKS = re.compile(rb"[\[{,]")  # a JSON text has at most one value more than these characters


class WireError(Exception):
    """A message that violates the protocol."""


@dataclass(frozen=True)
class Opaque:
    """The name of the type of a value that is not plain data."""

    type_name: str


def bare(value, depth: int = 0):
    """The plain data of a value: tensors without class, graph or hooks; anything else as `Opaque`."""
    if depth > DEPTH_LIMIT:
        return Opaque("something nested too deeply")
    kind = type(value)
    if value is None or kind in (bool, float):
        return value
    if kind is int:
        return value if abs(value) < 2**63 else Opaque("a huge int")
    if kind is str:
        return value[:TEXT_LIMIT]
    if kind is Opaque:
        return value
    if issubclass(kind, torch.Tensor):
        with torch._C.DisableTorchFunctionSubclass():  # a subclass may override detach()
            plain = torch.Tensor.detach(value)
            form = f"a {plain.dtype} tensor with layout {plain.layout}"
            if plain.layout is not torch.strided or plain.is_nested:  # as_subclass() knows no other layout
                return Opaque(f"{form}, nested" if plain.is_nested else form)
            plain = plain.as_subclass(torch.Tensor)
        return plain if str(plain.dtype) in DTYPES and plain.device.type != "meta" else Opaque(form)
    for base in (list, tuple):  # a named tuple is one, too
        if issubclass(kind, base):
            return base(bare(item, depth + 1) for item in base.__iter__(value))
    if issubclass(kind, dict):
        if not all(type(key) is str for key in dict.keys(value)):
            return Opaque("a dict with keys that are not str")
        return {key[:TEXT_LIMIT]: bare(item, depth + 1) for key, item in dict.items(value)}
    return Opaque(_class_name(kind))


def _class_name(kind: type) -> str:
    """The name of a class: "numpy.float64", or "a Count, a subclass of int" of a student's own."""
    module, name = str(kind.__module__), str(kind.__qualname__).rpartition(".")[2][:100]
    if module.partition(".")[0] in LIBRARIES:
        return f"{module}.{kind.__qualname__}"
    base = next((base for base in (int, float, str) if issubclass(kind, base)), None)
    return f"a {name}, a subclass of {base.__name__}" if base else name


def pack(value) -> bytes:
    """One message as bytes. Bool tensors are packed eight to a byte."""
    tensors: dict[str, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> str:
        name = str(len(tensors))
        tensors[name] = tensor.cpu().clone().contiguous()
        return name

    def tree(item):
        if isinstance(item, Opaque):
            return {"opaque": item.type_name}
        if isinstance(item, torch.Tensor):
            form = {"dtype": str(item.dtype), "shape": list(item.shape)}
            if item.dtype is torch.bool:
                item = torch.from_numpy(np.packbits(item.cpu().numpy().reshape(-1)))
            return {"tensor": keep(item), **form}
        if isinstance(item, float) and not math.isfinite(item):
            return {"float": str(item)}
        if isinstance(item, list | tuple):
            return {type(item).__name__: [tree(each) for each in item]}
        if isinstance(item, dict):
            return {"dict": {key: tree(each) for key, each in item.items()}}
        return item

    header = json.dumps(tree(bare(value)), allow_nan=False).encode()
    body = save_tensors(tensors)
    return struct.pack("<QQ", len(header), len(body)) + header + body


def unpack(message: bytes) -> Any:
    """The value of `pack`, its tensors on the CPU. Raises WireError for anything else."""
    try:
        header_size, body_size = struct.unpack_from("<QQ", message)
        if 16 + header_size + body_size != len(message):
            raise WireError("the lengths do not add up")
        header = message[16 : 16 + header_size]
        if len(header) > STRUCTURE_LIMIT or len(MARKS.findall(header)) > 2 * COUNT_LIMIT:
            raise WireError("its structure is too large")
        (table_size,) = struct.unpack_from("<Q", message, 16 + header_size)
        if table_size > TABLE_LIMIT:
            raise WireError("its table of tensors is too large")
        structure = json.loads(header)
        tensors = load_tensors(message[16 + header_size :])
        value = _Unpacking(tensors).value(structure)
    except WireError:
        raise
    except Exception as problem:
        raise WireError(f"not a message: {type(problem).__name__}") from problem
    if tensors:
        raise WireError("it holds tensors that stand nowhere")
    return value


class _Unpacking:
    """The state of unpacking one message: its unused tensors, and the number of values so far."""

    def __init__(self, tensors: dict[str, torch.Tensor]):
        self.tensors, self.count = tensors, 0

    def value(self, item, depth: int = 0) -> Any:
        self.count += 1
        if depth > DEPTH_LIMIT + 2 or self.count > COUNT_LIMIT:
            raise WireError("nested too deeply" if depth > DEPTH_LIMIT + 2 else "it holds too many values")
        if item is None or isinstance(item, bool | float):
            return item
        if isinstance(item, int):
            if abs(item) >= 2**63:
                raise WireError("a whole number is too large")
            return item
        if isinstance(item, str):
            return _text(item)
        if "tensor" in item:
            return self.tensor(**item)
        ((kind, inner),) = item.items()
        if kind == "opaque":
            return Opaque(_text(str(inner)))
        if kind == "float" and inner in ("nan", "inf", "-inf"):
            return float(inner)
        if kind in ("list", "tuple") and isinstance(inner, list):
            found = [self.value(each, depth + 1) for each in inner]
            return found if kind == "list" else tuple(found)
        if kind == "dict" and isinstance(inner, dict):
            return {_text(key): self.value(each, depth + 1) for key, each in inner.items()}
        raise WireError("a value is of no kind that travels")

    def tensor(self, tensor: str, dtype: str, shape: list[int]) -> torch.Tensor:
        """The tensor of this name. Raises WireError unless its size fits its type and shape."""
        found = self.tensors.pop(tensor)
        if len(shape) > AXES_LIMIT or not all(type(size) is int and size >= 0 for size in shape):
            raise WireError("a tensor has no such shape")
        if math.prod(size or 1 for size in shape) > 8 * LIMIT:  # also for an empty one: a sum over its axis
            raise WireError("a tensor has an axis that is too long")
        count = math.prod(shape)
        if DTYPES[dtype] is not torch.bool:
            if str(found.dtype) != dtype or found.numel() != count:
                raise WireError("a tensor is not of the type or shape that it claims")
            return found.reshape(shape)
        if found.dtype is not torch.uint8 or found.shape != (-(-count // 8),):
            raise WireError("a mask has not the bits that its shape needs")
        return torch.from_numpy(np.unpackbits(found.numpy(), count=count).view(bool)).reshape(shape)


def _text(text: str) -> str:
    """A string that is valid UTF-8: a lone surrogate becomes a question mark."""
    return text[:TEXT_LIMIT].encode("utf-8", "replace").decode()


def send(connection: socket.socket, value) -> None:
    """Write one message: its length, then its bytes. Raises WireError above the limit."""
    message = pack(value)
    if len(message) > LIMIT:
        raise WireError(f"a message of {len(message):,} bytes; {LIMIT:,} are allowed")
    connection.sendall(struct.pack("<Q", len(message)))
    connection.sendall(message)


def receive(connection: socket.socket, deadline: float | None = None) -> Any:
    """Read and unpack one message. Raises WireError for a malformed one, and what `read` raises."""
    return unpack(read(connection, deadline))


def read(connection: socket.socket, deadline: float | None = None) -> bytes:
    """The bytes of one whole message, read before `deadline` (time.monotonic), if there is one.

    Raises WireError above the limit, EOFError for a closed connection, TimeoutError at the deadline.
    """
    (size,) = struct.unpack("<Q", _exactly(connection, 8, deadline))
    if size > LIMIT:
        raise WireError(f"a message of {size:,} bytes; {LIMIT:,} are allowed")
    return _exactly(connection, size, deadline)


def _exactly(connection: socket.socket, size: int, deadline: float | None) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        if deadline is not None:
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
        part = connection.recv(min(size - len(parts), 2**20))
        if not part:
            raise EOFError("the other side closed the connection")
        parts += part
    return bytes(parts)
