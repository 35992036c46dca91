"""A weight packed for storage without its zeros."""

import warnings

import numpy as np
import torch

FROM = 8  # lab 08 is given this file, after its own exercise
ANSWERS = ("storage_bytes",)


def packed(weight: torch.Tensor, form: str) -> list[torch.Tensor]:
    """A weight [out, in] packed for storage without its zeros: the tensors to save.

    form: "dense", the weight itself; "bitmask", values and one bit per weight, eight to a byte; "csr",
    values, int32 column indices and int32 row pointers; "2:4", values and a 2-bit index for each of the two
    kept weights in every group of four. Raises ValueError for another form, and for a group with more than
    2 nonzero weights.
    """
    if form == "dense":
        return [weight]
    if form == "bitmask":
        return [weight[weight != 0], _bits(weight != 0)]
    if form == "csr":
        sparse = csr(weight)
        return [sparse.values(), sparse.col_indices(), sparse.crow_indices()]
    if form != "2:4":
        raise ValueError(f"there is no form called {form!r}")
    groups = weight.reshape(-1, 4)
    if weight.shape[1] % 4 or bool(((groups != 0).sum(dim=1) > 2).any()):
        raise ValueError("the weight does not keep at most 2 of every 4 neighbours")
    places = (groups != 0).int().sort(dim=1, descending=True, stable=True).indices[:, :2].sort().values
    return [groups.gather(1, places), _bits(torch.stack([places >> 1, places & 1], dim=-1))]


def csr(weight: torch.Tensor) -> torch.Tensor:
    """The weight as a sparse CSR tensor with int32 indices."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        sparse = weight.to_sparse_csr()
        return torch.sparse_csr_tensor(
            sparse.crow_indices().int(),
            sparse.col_indices().int(),
            sparse.values(),
            weight.shape,
            check_invariants=False,
        )


def _bits(flags: torch.Tensor) -> torch.Tensor:
    """Pack zeros and ones eight to a byte."""
    return torch.from_numpy(np.packbits(flags.cpu().numpy().astype(bool).reshape(-1)))


def bytes_of(tensors: list[torch.Tensor]) -> int:
    """Total bytes of these tensors."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
