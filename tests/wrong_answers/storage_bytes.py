"""Answers to storage_bytes. A wrong one's docstring is the phrase that must name its mistake."""

import math


def _checked(shape, sparsity, format):
    if format not in ("dense", "bitmask", "csr", "2:4"):
        raise ValueError("format")
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    if format == "2:4" and (sparsity != 0.5 or shape[1] % 4):
        raise ValueError("2:4")


def _bytes(
    shape, sparsity, format, dtype_bytes,
    kept=None, mask=lambda n, kept, rows, columns: math.ceil(n / 8), index=4, pointers=None, place=2,
):  # fmt: skip
    """All four formats, each of their numbers open to a mistake."""
    _checked(shape, sparsity, format)
    rows, columns = shape
    n = rows * columns
    kept = n - round(sparsity * n) if kept is None else kept
    pointers = rows + 1 if pointers is None else pointers
    if format == "dense":
        return n * dtype_bytes
    values = kept * dtype_bytes
    if format == "bitmask":
        return values + mask(n, kept, rows, columns)
    if format == "csr":
        return values + index * kept + index * pointers
    return values + math.ceil(kept * place / 8)


def right_plain(shape, sparsity, format, dtype_bytes):
    return _bytes(shape, sparsity, format, dtype_bytes)


def right_whole_numbers(shape, sparsity, format, dtype_bytes):
    _checked(shape, sparsity, format)
    rows, columns = shape
    stays = rows * columns - round(sparsity * rows * columns)
    extra = {
        "dense": (rows * columns - stays) * dtype_bytes,
        "bitmask": -(-rows * columns // 8),
        "csr": 4 * (stays + rows + 1),
        "2:4": -(-2 * stays // 8),
    }
    return stays * dtype_bytes + extra[format]


def right_in_bits(shape, sparsity, format, dtype_bytes):
    _checked(shape, sparsity, format)
    n = shape[0] * shape[1]
    kept = n - round(sparsity * n)
    bits = {
        "dense": 8 * dtype_bytes * n,
        "bitmask": 8 * dtype_bytes * kept + n,
        "csr": (8 * dtype_bytes + 32) * kept + 32 * (shape[0] + 1),
        "2:4": (8 * dtype_bytes + 2) * kept,
    }
    return (bits[format] + 7) // 8


def bits(shape, sparsity, format, dtype_bytes):
    """the answer is in bits"""
    return 8 * _bytes(shape, sparsity, format, dtype_bytes)


def dense_without_zeros(shape, sparsity, format, dtype_bytes):
    """the zeros were left out"""
    if format == "dense":
        return round((1 - sparsity) * shape[0] * shape[1]) * dtype_bytes
    return _bytes(shape, sparsity, format, dtype_bytes)


def stores_zeros(shape, sparsity, format, dtype_bytes):
    """the zeros were stored as well"""
    right = _bytes(shape, sparsity, format, dtype_bytes)
    gone = round(sparsity * shape[0] * shape[1])
    return right if format == "dense" else right + gone * dtype_bytes


def a_byte_for_each_flag(shape, sparsity, format, dtype_bytes):
    """eight flags fit into one byte"""
    return _bytes(shape, sparsity, format, dtype_bytes, mask=lambda n, *_: n)


def rounded_down(shape, sparsity, format, dtype_bytes):
    """the bits were rounded down"""
    return _bytes(shape, sparsity, format, dtype_bytes, mask=lambda n, *_: n // 8)


def places_rounded_down(shape, sparsity, format, dtype_bytes):
    """the bits were rounded down"""
    if format == "2:4":
        return int(_bytes(shape, sparsity, "2:4", dtype_bytes, place=0) + shape[0] * shape[1] / 8)
    return _bytes(shape, sparsity, format, dtype_bytes)


def mask_of_the_kept(shape, sparsity, format, dtype_bytes):
    """only kept weights have a bit"""
    return _bytes(shape, sparsity, format, dtype_bytes, mask=lambda n, kept, *_: math.ceil(kept / 8))


def mask_by_row(shape, sparsity, format, dtype_bytes):
    """every row was rounded up to bytes"""
    return _bytes(shape, sparsity, format, dtype_bytes, mask=lambda n, k, rows, c: rows * math.ceil(c / 8))


def no_mask(shape, sparsity, format, dtype_bytes):
    """the bytes of the mask are missing"""
    return _bytes(shape, sparsity, format, dtype_bytes, mask=lambda *_: 0)


def no_row_pointers(shape, sparsity, format, dtype_bytes):
    """the row pointers were forgotten"""
    return _bytes(shape, sparsity, format, dtype_bytes, pointers=0)


def one_pointer_a_row(shape, sparsity, format, dtype_bytes):
    """one row pointer is missing"""
    return _bytes(shape, sparsity, format, dtype_bytes, pointers=shape[0])


def pointers_of_one_byte(shape, sparsity, format, dtype_bytes):
    """each row pointer was given one byte"""
    total = _bytes(shape, sparsity, format, dtype_bytes)
    return total - 3 * (shape[0] + 1) if format == "csr" else total


def compressed_columns(shape, sparsity, format, dtype_bytes):
    """columns were compressed"""
    return _bytes(shape, sparsity, format, dtype_bytes, pointers=shape[1] + 1)


def long_indices(shape, sparsity, format, dtype_bytes):
    """indices took 8 bytes"""
    return _bytes(shape, sparsity, format, dtype_bytes, index=8)


def indices_like_values(shape, sparsity, format, dtype_bytes):
    """indices were given the bytes of a value"""
    return _bytes(shape, sparsity, format, dtype_bytes, index=dtype_bytes)


def a_row_for_each_value(shape, sparsity, format, dtype_bytes):
    """that is COO"""
    if format == "csr":
        n = shape[0] * shape[1]
        return _bytes(shape, sparsity, "csr", dtype_bytes, pointers=n - round(sparsity * n))
    return _bytes(shape, sparsity, format, dtype_bytes)


def no_places(shape, sparsity, format, dtype_bytes):
    """the bytes of the places of the kept values are missing"""
    return _bytes(shape, sparsity, format, dtype_bytes, place=0)


def four_bits(shape, sparsity, format, dtype_bytes):
    """4 bits were spent on each place"""
    return _bytes(shape, sparsity, format, dtype_bytes, place=4)


def two_bytes_a_place(shape, sparsity, format, dtype_bytes):
    """four places fit into one byte"""
    return _bytes(shape, sparsity, format, dtype_bytes, place=16)


def truncated(shape, sparsity, format, dtype_bytes):
    """int() cut"""
    n = shape[0] * shape[1]
    return _bytes(shape, sparsity, format, dtype_bytes, kept=n - int(sparsity * n))


def kept_truncated(shape, sparsity, format, dtype_bytes):
    """int() cut"""
    return _bytes(shape, sparsity, format, dtype_bytes, kept=int((1 - sparsity) * shape[0] * shape[1]))


def rounded_up(shape, sparsity, format, dtype_bytes):
    """or ceil() lifted 0."""
    n = shape[0] * shape[1]
    return _bytes(shape, sparsity, format, dtype_bytes, kept=n - math.ceil(sparsity * n))


def kept_rounded(shape, sparsity, format, dtype_bytes):
    """the kept weights were rounded"""
    return _bytes(shape, sparsity, format, dtype_bytes, kept=round((1 - sparsity) * shape[0] * shape[1]))


def columns_of_two_bytes(shape, sparsity, format, dtype_bytes):
    """a column took 2 bytes"""
    right = _bytes(shape, sparsity, format, dtype_bytes)
    n = shape[0] * shape[1]
    return right - 2 * (n - round(sparsity * n)) if format == "csr" else right


def one_bit_a_place(shape, sparsity, format, dtype_bytes):
    """1 bit was spent on each place"""
    return _bytes(shape, sparsity, format, dtype_bytes, place=1)


def density(shape, sparsity, format, dtype_bytes):
    """the sparsity was taken for the share that stays"""
    return _bytes(shape, sparsity, format, dtype_bytes, kept=round(sparsity * shape[0] * shape[1]))


def a_float(shape, sparsity, format, dtype_bytes):
    """is a float"""
    n = shape[0] * shape[1]
    return _bytes(shape, sparsity, format, dtype_bytes, mask=lambda *_: n / 8)


def unknown_format(shape, sparsity, format, dtype_bytes):
    """an unknown format raises ValueError: your function returned an int instead"""
    known = format if format in ("dense", "bitmask", "csr") else "2:4"
    return _bytes(shape, sparsity, known, dtype_bytes)


def no_range_check(shape, sparsity, format, dtype_bytes):
    """a sparsity of 1.2 raises ValueError"""
    return _bytes(shape, min(max(sparsity, 0), 1), format, dtype_bytes)


def two_of_four_at_any_sparsity(shape, sparsity, format, dtype_bytes):
    """2:4 at 40 % raises ValueError"""
    return _bytes(shape, 0.5 if format == "2:4" else sparsity, format, dtype_bytes)


def two_of_four_at_any_width(shape, sparsity, format, dtype_bytes):
    """2:4 with 6 inputs raises ValueError"""
    if format == "2:4":
        shape = (shape[1], shape[0])
    return _bytes(shape, sparsity, format, dtype_bytes)


def forgets_return(shape, sparsity, format, dtype_bytes):
    """is a return missing?"""
    _bytes(shape, sparsity, format, dtype_bytes)


def not_written(shape, sparsity, format, dtype_bytes):
    """not written yet"""
    raise NotImplementedError()
