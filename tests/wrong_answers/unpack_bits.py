"""Answers to unpack_bits. A wrong one's docstring is the phrase that must name its mistake."""

import numpy as np
import torch


def _checked(packed, bits, count):
    if len(packed) != -(-count * bits // 8):
        raise ValueError("the bytes do not fit the count")
    return packed


def _codes(flags, bits, count):
    """Codes of flags, uint8 [n], highest bit first."""
    flags = flags[: count * bits].reshape(count, bits)
    return torch.from_numpy(np.packbits(flags, axis=1)[:, 0] >> (8 - bits))


def _flags(packed, **order):
    return np.unpackbits(packed.numpy(), **order)


def right_numpy(packed, bits, count):
    return _codes(_flags(_checked(packed, bits, count)), bits, count)


def right_one_number(packed, bits, count):
    whole = int.from_bytes(bytes(_checked(packed, bits, count).tolist()), "big") >> (-count * bits % 8)
    codes = [whole >> bits * place & 2**bits - 1 for place in reversed(range(count))]
    return torch.tensor(codes, dtype=torch.uint8)


def right_text(packed, bits, count):
    text = "".join(f"{byte:08b}" for byte in _checked(packed, bits, count).tolist())
    return torch.tensor([int(text[i * bits : (i + 1) * bits], 2) for i in range(count)], dtype=torch.uint8)


def count_ignored(packed, bits, count):
    """the bits that fill the last byte became a code, too"""
    return _codes(_flags(_checked(packed, bits, count)), bits, 8 * len(packed) // bits)


def lowest_bit_first(packed, bits, count):
    """the first bit of a code was taken for its lowest"""
    flags = _flags(_checked(packed, bits, count))[: count * bits].reshape(count, bits)[:, ::-1]
    return _codes(flags.reshape(-1), bits, count)


def little_bytes(packed, bits, count):
    """a byte was read from its low end"""
    return _codes(_flags(_checked(packed, bits, count), bitorder="little"), bits, count)


def little_all_over(packed, bits, count):
    """everything was read from the low end"""
    flags = _flags(_checked(packed, bits, count), bitorder="little")
    flags = flags[: count * bits].reshape(count, bits)[:, ::-1]
    return _codes(flags.reshape(-1), bits, count)


def each_byte_alone(packed, bits, count):
    """every byte was read by itself"""
    flags = _flags(_checked(packed, bits, count)).reshape(-1, 8)
    flags = flags[:, : 8 // bits * bits].reshape(-1)
    return _codes(np.pad(flags, (0, max(0, count * bits - len(flags)))), bits, count)


def bits_as_codes(packed, bits, count):
    """each bit was taken for a code"""
    return torch.from_numpy(_flags(_checked(packed, bits, count)))


def bytes_as_codes(packed, bits, count):
    """the bytes were returned as they are"""
    return _checked(packed, bits, count).clone()


def no_length_check(packed, bits, count):
    """a byte that is missing raises ValueError"""
    flags = np.pad(_flags(packed), (0, 8))
    return _codes(flags, bits, count)


def not_cut(packed, bits, count):
    """the bits that fill the last byte became a code, too"""
    flags = torch.from_numpy(_flags(_checked(packed, bits, count))).view(-1, bits)
    return sum(flags[:, place] << (bits - 1 - place) for place in range(bits))


def bytes_too_many_are_taken(packed, bits, count):
    """a byte too many raises ValueError"""
    if 8 * len(packed) < count * bits:
        raise ValueError("too few bytes")
    return _codes(_flags(packed), bits, count)


def as_long(packed, bits, count):
    """it is torch.int64"""
    return right_numpy(packed, bits, count).long()


def as_column(packed, bits, count):
    """yours is (6, 1)"""
    return right_numpy(packed, bits, count)[:, None]


def forgets_return(packed, bits, count):
    """is a return missing?"""
    right_numpy(packed, bits, count)


def not_written(packed, bits, count):
    """not written yet"""
    raise NotImplementedError()
