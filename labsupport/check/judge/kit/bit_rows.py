"""Codes as a text of zeros and ones, the judges' own way to pack them."""

import random

import torch


def text(codes: torch.Tensor, bits: int) -> str:
    """The bits of all codes, one code after the other, each with its highest bit first."""
    return "".join(f"{code:0{bits}b}" for code in codes.flatten().tolist())


def packed(row: str) -> torch.Tensor:
    """Bytes, uint8 [ceil(bits / 8)], of a text of bits; zeros fill the last one."""
    whole = row + "0" * (-len(row) % 8)
    return torch.tensor([int(whole[i : i + 8], 2) for i in range(0, len(whole), 8)], dtype=torch.uint8)


def in_eights(packed_bytes: torch.Tensor) -> str:
    """Bytes as a text, for a message: 10110011 01000000."""
    return " ".join(f"{int(byte):08b}" for byte in packed_bytes.flatten().tolist())


def reverse_each(row: str, size: int) -> str:
    """The text with every `size` bits of it reversed."""
    return "".join(row[i : i + size][::-1] for i in range(0, len(row), size))


def draw_codes(source: random.Random, count: int, bits: int) -> torch.Tensor:
    """Random codes, uint8 [count], none of them the same from both ends if possible, the last one odd."""
    crooked = [code for code in range(2**bits) if f"{code:0{bits}b}" != f"{code:0{bits}b}"[::-1]]
    some = crooked or list(range(2**bits))
    return torch.tensor([source.choice(some) for _ in range(count - 1)] + [2**bits - 1], dtype=torch.uint8)
