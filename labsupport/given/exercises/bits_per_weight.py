"""11.6 bits_per_weight, made from solutions/11_on_device.py."""

def bits_per_weight(sparsity: float, bits: int, group: int, pattern: str) -> float:
    """Bits of a pruned and quantised matrix in a file, over all of its weights.

    pattern: "dense", "bitmask" or "2:4". Each group has a scale and a zero in float16. Raises ValueError for
    another pattern, for a sparsity outside 0 to 1, and for "2:4" at a sparsity other than 0.5.
    """
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity is {sparsity}: it must be from 0 to 1")
    if pattern == "2:4" and sparsity != 0.5:
        raise ValueError("2:4 keeps two of every four: sparsity 0.5")
    grids = 2 * 16 / group
    if pattern == "dense":
        return bits + grids
    if pattern == "bitmask":
        return (1 - sparsity) * bits + 1 + grids
    if pattern == "2:4":
        return 0.5 * (bits + 2) + grids
    raise ValueError(f"there is no pattern called {pattern!r}")
