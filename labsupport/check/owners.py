"""Every weight belongs to one structure, its owner: a channel of the MLP, a key-value group of attention.

A structure's score is what its weights add up to. So the right scores, and those of each mistake, are
sums by owner.
"""

from collections.abc import Callable

import torch

WORTH: dict[str, Callable] = {
    "l1": lambda w, _: w.abs(),
    "l2": lambda w, _: w.square(),
    "taylor": lambda w, g: (w * g).abs(),
}


def tally(entries: list[torch.Tensor], owners: list[torch.Tensor], count: int) -> torch.Tensor:
    """Float64 [count]: what the entries of every owner add up to; owners broadcast over the entries."""
    total = torch.zeros(count, dtype=torch.float64)
    for entry, owner in zip(entries, owners, strict=True):
        total.index_add_(0, owner.expand(entry.shape).flatten(), entry.double().flatten())
    return total


def scores(weights, owners, count: int, criterion: str, grads=None) -> torch.Tensor:
    """Float64 [count]: the score of every structure by l1, l2 or taylor."""
    pairs = zip(weights, grads or weights, strict=True)
    return tally([WORTH[criterion](w.cpu().double(), g.cpu().double()) for w, g in pairs], owners, count)


def channel_owners(hidden: int, channels: int) -> list[torch.Tensor]:
    """Owners of gate, up [channels, hidden] and down [hidden, channels]."""
    each = torch.arange(channels)
    return [each[:, None], each[:, None], each[None, :]]


def group_owners(heads: int, kv_heads: int, head_dim: int, interleaved=()) -> list[torch.Tensor]:
    """Owners of q, k, v and o; for the matrices named in `interleaved`, as if query heads took turns."""
    head = torch.arange(heads * head_dim) // head_dim
    own = torch.arange(kv_heads * head_dim) // head_dim
    queries = {name: head % kv_heads if name in interleaved else head * kv_heads // heads for name in "qo"}
    return [queries["q"][:, None], own[:, None], own[:, None], queries["o"][None, :]]


def near(score: torch.Tensor, right: torch.Tensor) -> bool:
    """Whether scores agree to the precision of float32 sums."""
    return score.shape == right.shape and torch.allclose(score.double(), right, rtol=2e-5, atol=0)


def expected_scores(names: str, owners: list[torch.Tensor], count: int, inputs: dict) -> torch.Tensor | None:
    """The judge's scores of a case, its matrices named; None for "random"."""
    if inputs["criterion"] == "random":
        return None
    weights = [inputs[name] for name in names.split()]
    return scores(weights, owners, count, inputs["criterion"], inputs.get("grads"))


def owners_of(inputs: dict, interleaved=()) -> list[torch.Tensor]:
    """Owners of q, k, v and o in a case; interleaved as in group_owners."""
    heads = len(inputs["q"]) // inputs["head_dim"]
    return group_owners(heads, inputs["kv_heads"], inputs["head_dim"], interleaved)
