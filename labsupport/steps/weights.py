"""Weights by their values: the digest of a model is the same in float32, in bfloat16, and in several files.

Of a model whose every weight fits into bfloat16, which is how most are published, the digest is that of one
file in bfloat16, as save_pretrained writes it and as TinyLlama was published; of other weights, that of one
file in float32. A copy in float16 is the same only if all digits are there: float16 rounds what is smaller
than 2^-17, and then it is another model. Of the published weights only the digest is known here, which tells
nothing of a rounded copy. This file needs no torch.
"""

import contextlib
import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors import safe_open

BLOCK = 2**24  # bytes read at one time
WIDTH = {"BF16": 2, "F32": 4}  # bytes of a number in the types that a digest is made in
TYPES = {"BF16": np.uint16, "F16": np.float16, "F32": np.float32}
Tensor = tuple[Path, int, dict]  # file, where its numbers begin, and its entry in the header


def files_of(folder: Path) -> list[Path]:
    """The files of a model's weights, as transformers looks for them; none in a folder without any.

    Raises OSError and ValueError for a list of files that cannot be read.
    """
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole.exists():
        return [whole]
    if not index.exists():
        return []
    return [folder / name for name in sorted(set(json.loads(index.read_text())["weight_map"].values()))]


def digest(files: list[Path]) -> str:
    """SHA-256 of safetensors files: of the values in bfloat16 if they fit, else in float32.

    Of weights in other types, such as codes of few bits, of the files themselves. Raises OSError, ValueError
    and SafetensorError for a file that cannot be read.
    """
    tensors = entries(files)
    for dtype in WIDTH:
        with contextlib.suppress(Unlike):
            whole = hashlib.sha256()
            for part in one_file(tensors, dtype):
                whole.update(part)
            return whole.hexdigest()
    found = []
    for path in files:
        with path.open("rb") as file:
            found.append(hashlib.file_digest(file, "sha256").hexdigest())
    return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()


class Unlike(Exception):
    """A weight does not fit into a type."""


def entries(files: list[Path]) -> dict[str, Tensor]:
    """The tensors of some files by name, in the order of their names."""
    found: dict[str, Tensor] = {}
    for path in files:
        with safe_open(path, "np"), path.open("rb") as file:  # the library sees that each tensor lies within
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
        header.pop("__metadata__", None)
        found |= {name: (path, 8 + size + entry["data_offsets"][0], entry) for name, entry in header.items()}
    return dict(sorted(found.items()))


def one_file(tensors: dict[str, Tensor], dtype: str) -> Iterator[bytes]:
    """The bytes of one file with these tensors in BF16 or F32. Raises Unlike if they do not fit."""
    header: dict[str, dict] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (_, _, entry) in tensors.items():
        start, end = end, end + WIDTH[dtype] * math.prod(entry["shape"])
        header[name] = {"dtype": dtype, "shape": entry["shape"], "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for path, start, entry in tensors.values():
        if entry["dtype"] not in TYPES:
            raise Unlike
        first, last = entry["data_offsets"]
        with path.open("rb") as file:
            file.seek(start)
            for at in range(first, last, BLOCK):
                block = file.read(min(BLOCK, last - at))
                if entry["dtype"] == dtype:
                    yield block
                    continue
                wide = widened(np.frombuffer(block, TYPES[entry["dtype"]]))
                yield halved(wide) if dtype == "BF16" else wide.tobytes()


def widened(numbers: np.ndarray) -> np.ndarray:
    """Numbers as float32; uint16 are those of bfloat16, the upper half of a float32."""
    if numbers.dtype == np.uint16:
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers.astype(np.float32)


def halved(numbers: np.ndarray) -> bytes:
    """Numbers of float32 as bfloat16. Raises Unlike if a digit is lost."""
    bits = numbers.view(np.uint32)
    if np.any(bits & 0xFFFF):
        raise Unlike
    return (bits >> 16).astype(np.uint16).tobytes()
