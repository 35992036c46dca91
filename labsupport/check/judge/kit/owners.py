"""The owner of each weight: a channel of the MLP, or a KV group of attention.

The score of a structure is the sum of the saliencies of its weights. So the right scores and those of
each mistake are sums by owner.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch

Saliency = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # weight, gradient -> saliency, one shape

SALIENCY: dict[str, Saliency] = {
    "l1": lambda w, _: w.abs(),
    "l2": lambda w, _: w.square(),
    "taylor": lambda w, g: (w * g).abs(),
}


@dataclass(frozen=True)
class Coupled:
    """Coupled weights with their owners: the data from which scores are computed.

    weights: [out, in] each; owners: int64, the number of the structure that owns each entry, [out, 1],
    [1, in] or [out, in] each; count: the number of structures; criterion: a key of SALIENCY, or
    "random"; grads: as weights, or None if the criterion needs none.
    """

    weights: list[torch.Tensor]
    owners: list[torch.Tensor]
    count: int
    criterion: str
    grads: list[torch.Tensor] | None = None

    def pairs(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Each weight with its gradient, float64 [out, in]; without gradients, the weight twice."""
        grads = self.grads or self.weights
        return [(w.cpu().double(), g.cpu().double()) for w, g in zip(self.weights, grads, strict=True)]

    def scores(self, saliency: Saliency | None = None) -> torch.Tensor:
        """Float64 [count]: the sum of saliencies of each structure, by default those of the criterion."""
        saliency = saliency or SALIENCY[self.criterion]
        return tally([saliency(w, g) for w, g in self.pairs()], self.owners, self.count)

    def by(self, owners: list[torch.Tensor]) -> torch.Tensor:
        """Float64 [count]: the scores with these owners instead."""
        return replace(self, owners=owners).scores()

    def only(self, chosen: Iterable[int]) -> torch.Tensor:
        """Float64 [count]: the scores of only these weights."""
        weights, owners = [self.weights[i] for i in chosen], [self.owners[i] for i in chosen]
        grads = [self.grads[i] for i in chosen] if self.grads else None
        return replace(self, weights=weights, owners=owners, grads=grads).scores()


def tally(entries: list[torch.Tensor], owners: list[torch.Tensor], count: int) -> torch.Tensor:
    """Float64 [count]: the sum of each owner's entries; entries: [out, in], owners: as in Coupled."""
    total = torch.zeros(count, dtype=torch.float64)  # [count]
    for entry, owner in zip(entries, owners, strict=True):
        total.index_add_(0, owner.expand(entry.shape).flatten(), entry.double().flatten())
    return total


def channel_owners(hidden: int, channels: int) -> list[torch.Tensor]:
    """Owners in gate, up [channels, hidden] and down [hidden, channels]."""
    each = torch.arange(channels)  # [channels]
    return [each[:, None], each[:, None], each[None, :]]


def group_owners(heads: int, kv_heads: int, head_dim: int, interleaved: str = "") -> list[torch.Tensor]:
    """Owners in q [H * D, hidden], k, v [H_kv * D, hidden] and o [hidden, H * D].

    interleaved: "q", "o" or "qo", the matrices whose query heads are assigned to the KV heads in turn.
    """
    head = torch.arange(heads * head_dim) // head_dim  # [H * D]
    own = torch.arange(kv_heads * head_dim) // head_dim  # [H_kv * D]
    queries = {name: head % kv_heads if name in interleaved else head * kv_heads // heads for name in "qo"}
    return [queries["q"][:, None], own[:, None], own[:, None], queries["o"][None, :]]


def near(score: torch.Tensor, right: torch.Tensor) -> bool:
    """Whether scores, both [count], agree to the precision of float32 sums."""
    return score.shape == right.shape and torch.allclose(score.double(), right, rtol=2e-5, atol=0)
