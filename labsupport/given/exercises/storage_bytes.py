"""8.3 storage_bytes, made from solutions/08_cost.py."""

def storage_bytes(shape: tuple[int, int], sparsity: float, format: str, dtype_bytes: int) -> int:
    """Bytes of a matrix [out_features, in_features] of this sparsity when it is stored.

    format: "dense", "bitmask", "csr" (int32 indices) or "2:4" (2 bits an index). Raises ValueError for another
    format, for a sparsity outside 0 to 1, and for "2:4" at a sparsity other than 0.5 or when 4 does not
    divide in_features.
    """
    rows, inputs = shape
    count = rows * inputs
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity is {sparsity}: it must be from 0 to 1")
    if format == "2:4" and (sparsity != 0.5 or inputs % 4):
        raise ValueError("2:4 keeps two of every four inputs: sparsity 0.5, and 4 divides in_features")
    kept = count - round(sparsity * count)
    if format == "dense":
        return count * dtype_bytes
    if format == "bitmask":
        return kept * dtype_bytes + -(-count // 8)
    if format == "csr":
        return kept * dtype_bytes + 4 * kept + 4 * (rows + 1)
    if format == "2:4":
        return kept * dtype_bytes + -(-2 * kept // 8)
    raise ValueError(f"there is no format called {format!r}")
