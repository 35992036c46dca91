"""Answers to pack_bits. A wrong one's docstring is the phrase that must name its mistake."""

import numpy as np
import torch


def _checked(codes, bits):
    if codes.numel() and int(codes.max()) >= 2**bits:
        raise ValueError("a code does not fit")
    return codes.flatten()


def _bits(codes, bits):
    """uint8 [n, bits], the highest first."""
    return np.unpackbits(_checked(codes, bits).numpy()[:, None], axis=1)[:, 8 - bits :]


def _bytes(flags, **order):
    return torch.from_numpy(np.packbits(flags.reshape(-1), **order))


def right_numpy(codes, bits):
    return _bytes(_bits(codes, bits))


def right_one_number(codes, bits):
    """All codes as one long Python number."""
    whole, size = 0, codes.numel() * bits
    for code in _checked(codes, bits).tolist():
        whole = whole << bits | code
    whole <<= -size % 8
    return torch.tensor(list(whole.to_bytes(-(-size // 8), "big")), dtype=torch.uint8)


def right_text(codes, bits):
    text = "".join(format(code, f"0{bits}b") for code in _checked(codes, bits).tolist())
    text = text.ljust(-(-len(text) // 8) * 8, "0")
    return torch.tensor([int(text[i : i + 8], 2) for i in range(0, len(text), 8)], dtype=torch.uint8)


def a_byte_a_code(codes, bits):
    """each code has a byte to itself"""
    return _checked(codes, bits).clone()


def a_byte_a_bit(codes, bits):
    """each bit has a byte to itself"""
    return torch.from_numpy(_bits(codes, bits).reshape(-1).copy())


def no_code_crosses(codes, bits):
    """a byte holds 2 whole codes and its last bits stay empty"""
    each, flags = 8 // bits, _bits(codes, bits)
    rows = [flags[i : i + each].reshape(-1) for i in range(0, len(flags), each)]
    return _bytes(np.stack([np.pad(row, (0, 8 - len(row))) for row in rows]))


def lowest_bit_first(codes, bits):
    """the lowest bit of a code comes first"""
    return _bytes(_bits(codes, bits)[:, ::-1])


def little_bytes(codes, bits):
    """a byte was filled from its low end"""
    return _bytes(_bits(codes, bits), bitorder="little")


def little_all_over(codes, bits):
    """everything begins at the low end"""
    return _bytes(_bits(codes, bits)[:, ::-1], bitorder="little")


def filled_in_front(codes, bits):
    """the zeros that fill up came first"""
    flags = _bits(codes, bits).reshape(-1)
    return _bytes(np.pad(flags, (-len(flags) % 8, 0)))


def last_code_first(codes, bits):
    """the last code comes first"""
    return _bytes(_bits(codes, bits)[::-1])


def tail_left_out(codes, bits):
    """the bits at the end were left out"""
    return right_numpy(codes, bits)[: codes.numel() * bits // 8]


def row_by_row(codes, bits):
    """each row was filled up to whole bytes"""
    rows = codes if codes.dim() == 2 else codes[None]
    return torch.cat([right_numpy(row, bits) for row in rows])


def not_filled_up(codes, bits):
    """The bits do not fill whole bytes"""
    flags = torch.from_numpy(_bits(codes, bits).reshape(-1).copy()).view(-1, 8)
    return sum(flags[:, place] << (7 - place) for place in range(8))


def no_range_check(codes, bits):
    """a code that does not fit raises ValueError"""
    return right_numpy(codes & (2**bits - 1), bits)


def one_too_many_fits(codes, bits):
    """a code that does not fit raises ValueError"""
    if int(codes.max()) > 2**bits:  # >= is right
        raise ValueError("a code does not fit")
    return right_numpy(codes & (2**bits - 1), bits)


def compares_in_bytes(codes, bits):
    """8 bits: the codes as they are"""
    if (codes >= 2**bits).any():  # 256 becomes 0 in a uint8
        raise ValueError("a code does not fit")
    return right_numpy(codes, bits)


def as_long(codes, bits):
    """it is torch.int64"""
    return right_numpy(codes, bits).long()


def as_bytes(codes, bits):
    """of type bytes"""
    return bytes(right_numpy(codes, bits).tolist())


def forgets_return(codes, bits):
    """is a return missing?"""
    right_numpy(codes, bits)


def not_written(codes, bits):
    """not written yet"""
    raise NotImplementedError()
