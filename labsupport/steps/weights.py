"""Weights by their values: the digest of a model is the same in float32, in bfloat16, and in several files.

Of a model whose every weight fits into bfloat16, which is how most are published, the digest is that of one
file in bfloat16, as save_pretrained writes it. This file needs no torch.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

BLOCK = 2**24  # bytes read at one time
TYPES = {"BF16": np.uint16, "F16": np.float16, "F32": np.float32}
Tensor = tuple[Path, int, dict]  # file, where its numbers begin, and its entry in the header


def digest(files: list[Path]) -> str:
    """SHA-256 of safetensors files: of the values if they fit into bfloat16, else of the files themselves.

    Raises OSError and ValueError for a file that cannot be read.
    """
    tensors = entries(files)
    whole = hashlib.sha256()
    if len(files) > 1 or any(entry["dtype"] != "BF16" for _, _, entry in tensors.values()):
        try:
            for part in one_file(tensors):
                whole.update(part)
            return whole.hexdigest()
        except Unlike:
            pass
    found = []
    for path in files:
        with path.open("rb") as file:
            found.append(hashlib.file_digest(file, "sha256").hexdigest())
    return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()


class Unlike(Exception):
    """A weight does not fit into bfloat16."""


def entries(files: list[Path]) -> dict[str, Tensor]:
    """The tensors of some files by name, in the order of their names."""
    found: dict[str, Tensor] = {}
    for path in files:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
        header.pop("__metadata__", None)
        found |= {name: (path, 8 + size + entry["data_offsets"][0], entry) for name, entry in header.items()}
    return dict(sorted(found.items()))


def one_file(tensors: dict[str, Tensor]) -> Iterator[bytes]:
    """The bytes of one file with these tensors in bfloat16. Raises Unlike."""
    header: dict[str, dict] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (_, _, entry) in tensors.items():
        start, end = end, end + 2 * int(np.prod(entry["shape"], dtype=np.int64))
        header[name] = {"dtype": "BF16", "shape": entry["shape"], "data_offsets": [start, end]}
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
                block = np.frombuffer(file.read(min(BLOCK, last - at)), TYPES[entry["dtype"]])
                yield block.tobytes() if entry["dtype"] == "BF16" else halved(block)


def halved(numbers: np.ndarray) -> bytes:
    """Floating-point numbers as bfloat16, the upper half of a float32. Raises Unlike if a digit is lost."""
    bits = numbers.astype(np.float32).view(np.uint32)
    if np.any(bits & 0xFFFF):
        raise Unlike
    return (bits >> 16).astype(np.uint16).tobytes()
