"""Small numbers packed without gaps: k-bit codes, masks of one bit, and 2:4 masks of two thirds of a bit.

Every function is the inverse of its neighbour. Codes and bits run from the lowest bit of the first byte
upwards; the unused bits of the last byte are zero.
"""

import itertools

import numpy as np

PAIRS = list(itertools.combinations(range(4), 2))  # 01 02 03 12 13 23
PATTERNS = np.array(
    [[place in pair for place in range(4)] for pair in PAIRS]
)  # [6, 4], the ways to keep 2 of 4
NUMBERS = np.full(16, 255, dtype=np.uint8)  # four bits, the first one lowest -> the number of a pattern
NUMBERS[[sum(1 << place for place in pair) for pair in PAIRS]] = range(6)


def packed_codes(codes: np.ndarray, bits: int) -> bytes:
    """Codes below 2**bits, uint8 [n], in ceil(n * bits / 8) bytes; bits: 1 to 8."""
    eights = np.zeros((-(-len(codes) // 8), 8), dtype="<u8")
    eights.reshape(-1)[: len(codes)] = codes
    words = np.zeros(len(eights), dtype="<u8")  # eight codes in each
    for place in range(8):
        words |= eights[:, place] << np.uint64(place * bits)
    return words.view(np.uint8).reshape(-1, 8)[:, :bits].tobytes()[: code_bytes(len(codes), bits)]


def unpacked_codes(packed: bytes | memoryview, count: int, bits: int) -> np.ndarray:
    """`count` codes, uint8 [count], from exactly code_bytes(count, bits) bytes."""
    words = np.zeros((-(-count // 8), 8), dtype=np.uint8)
    rows = np.zeros(len(words) * bits, dtype=np.uint8)
    rows[: len(packed)] = np.frombuffer(packed, dtype=np.uint8)
    words[:, :bits] = rows.reshape(-1, bits)
    eights = np.empty((len(words), 8), dtype=np.uint8)
    for place in range(8):
        eights[:, place] = words.view("<u8")[:, 0] >> np.uint64(place * bits) & np.uint64(2**bits - 1)
    return eights.reshape(-1)[:count]


def code_bytes(count: int, bits: int) -> int:
    """The bytes of so many codes."""
    return -(-count * bits // 8)


def is_two_of_four(mask: np.ndarray) -> bool:
    """Whether a mask, bool [rows, columns], keeps exactly two of every four neighbours of a row."""
    rows, columns = mask.shape
    return columns % 4 == 0 and bool((mask.reshape(rows, -1, 4).sum(axis=2) == 2).all())


def packed_two_of_four(mask: np.ndarray) -> bytes:
    """A mask that keeps 2 of 4, bool [n]: three groups of four in a byte, as 6 * 6 * 6 = 216 fit into 256."""
    numbers = NUMBERS[mask.reshape(-1, 4) @ np.array((1, 2, 4, 8), dtype=np.uint8)]
    threes = np.zeros((-(-len(numbers) // 3), 3), dtype=np.uint8)
    threes.reshape(-1)[: len(numbers)] = numbers
    return (threes @ np.array((1, 6, 36), dtype=np.uint8)).tobytes()


def unpacked_two_of_four(packed: bytes | memoryview, count: int) -> np.ndarray:
    """The mask, bool [count], from two_of_four_bytes(count) bytes; ValueError for a byte above 215."""
    values = np.frombuffer(packed, dtype=np.uint8)
    if len(values) and values.max() > 215:
        raise ValueError(f"a byte of a 2:4 mask is {values.max()}; three groups make 0 to 215")
    numbers = np.stack([values % 6, values // 6 % 6, values // 36], axis=1).reshape(-1)
    return PATTERNS[numbers[: count // 4]].reshape(-1)


def two_of_four_bytes(count: int) -> int:
    """The bytes of a 2:4 mask of so many entries, a multiple of four."""
    return -(-count // 12)
