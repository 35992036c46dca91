"""How far a block turns the vectors of the residual stream, and what mistakes give instead."""

import math
from itertools import pairwise

import torch
from torch.nn import functional

from labsupport.check.judge.kit.causes import see

TURN = see("10.1", "How far a block turns a vector")
Stream = list[torch.Tensor]  # [B, L, hidden] before every block and after the last one


def cosines(before: torch.Tensor, after: torch.Tensor) -> list[float]:
    """The cosine of each token's vectors [B, L, hidden], in Python's own numbers."""
    pairs = zip(before.double().flatten(0, -2).tolist(), after.double().flatten(0, -2).tolist(), strict=True)
    return [
        math.fsum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))
        for one, other in pairs
    ]


def influences(hidden: Stream) -> list[float]:
    """The influence of every block, token by token."""
    pairs = [cosines(before, after) for before, after in pairwise(hidden)]
    return [1 - math.fsum(tokens) / len(tokens) for tokens in pairs]


def mistakes(hidden: Stream) -> list[tuple[torch.Tensor, str]]:
    """The influences that each mistake gives, float64 [blocks], and the sentence that names it."""
    stream = [each.double() for each in hidden]  # [B, L, hidden]
    pairs = list(pairwise(stream))

    def each(value) -> torch.Tensor:
        """The value of every block, float64 [blocks]."""
        return torch.stack([value(before, after) for before, after in pairs])

    def apart(before, after, dim: int = -1) -> torch.Tensor:
        """1 minus the mean cosine of two tensors along an axis."""
        return 1 - functional.cosine_similarity(before, after, dim=dim).mean()

    def cosine(before, after) -> torch.Tensor:
        """The cosine of every token: [B, L]."""
        return functional.cosine_similarity(before, after, dim=-1)

    right, tokens = each(apart), pairs[0][0].shape[:-1].numel()
    axis = (
        "It looks as if the cosine was taken along another axis: torch's cosine_similarity takes dim=1 by "
        f"itself, the tokens of a window. A token is a vector of `hidden` numbers, the last axis, {TURN}\n"
        "Try cosine_similarity(before, after, dim=-1).shape: it should be [B, L]."
    )
    window = (
        "It looks as if a whole window was taken as one long vector, so that loud tokens decide. Each token "
        f"has a cosine of its own, and all count alike, {TURN}"
    )
    mean = (
        f"It looks as if tokens were averaged before the cosine. First a cosine each, then the mean, {TURN}"
    )
    return [
        (1 - right, f"It looks as if the cosine itself was returned. Influence is 1 minus it, {TURN}"),
        (each(lambda a, b: apart(a, b, 1)), axis),
        (each(lambda a, b: apart(a, b, 0)), axis),
        (each(lambda a, b: apart(a.flatten(1), b.flatten(1))), window),
        (each(lambda a, b: apart(a.flatten(), b.flatten(), 0)), window),
        (each(lambda a, b: apart(a.mean(dim=1), b.mean(dim=1))), mean),
        (each(lambda a, b: apart(a.mean(dim=(0, 1)), b.mean(dim=(0, 1)), 0)), mean),
        (right * tokens, "It looks as if the tokens were summed, not averaged."),
        (1 - (1 - right) * tokens, "It looks as if the cosines of the tokens were summed, not averaged."),
        (each(lambda a, b: 1 - (a * b).sum(dim=-1).mean()),
         "It looks as if the product of the two vectors was not divided by their lengths: that is what "
         f"makes it a cosine, {TURN}"),
        (each(lambda a, b: 1 - cosine(a, b).abs().mean()),
         "It looks as if the sign of the cosine was lost: a vector that is turned round has -1."),
        (each(lambda a, b: cosine(a, b).acos().mean()), "It looks as if this is the angle, and not 1 - cos."),
        (each(lambda a, b: apart(stream[0], b)),
         "It looks as if every block was compared with the first tensor. Block i turns hidden[i] into "
         f"hidden[i + 1], {TURN}"),
        (each(lambda a, b: apart(a, stream[-1])),
         "It looks as if every block was compared with the last tensor. Block i turns hidden[i] into "
         f"hidden[i + 1], {TURN}"),
        (right.flip(0), "It looks as if the blocks are in reverse order."),
        (each(lambda a, b: (b - a).norm(dim=-1).mean()),
         f"It looks as if this is the distance of the two vectors. A cosine knows no lengths, {TURN}"),
        (each(lambda a, b: apart(a, b - a)),
         "It looks as if a block's input was compared with what the block adds. hidden[i + 1] is the sum of "
         f"the two, {TURN}"),
        (each(lambda a, b: 1 - cosine(a, b)[0].mean()),
         "It looks as if the first window alone was counted: all windows of the batch are."),
        (each(lambda a, b: 1 - cosine(a, b)[:, -1].mean()),
         "It looks as if the last token of each window alone was counted: all tokens are."),
    ]  # fmt: skip


def alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two rows of influences are equal up to rounding."""
    return one.shape == other.shape and torch.allclose(one.double(), other.double(), rtol=1e-4, atol=1e-4)
