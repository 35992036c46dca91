"""Small random inputs from a seed, with numbers that can be checked by hand."""

import operator
import random
from collections.abc import Callable
from typing import TypeVar

import torch

Drawn = TypeVar("Drawn")


def rng(seed: int, what: str) -> random.Random:
    """A random source for this seed and purpose, independent of all others."""
    return random.Random(f"{what}:{seed}")


def generator(source: random.Random) -> torch.Generator:
    """A torch generator seeded from this source."""
    return torch.Generator().manual_seed(source.getrandbits(62))


def distinct(source: random.Random, *shape: int) -> torch.Tensor:
    """A float tensor of distinct whole numbers 1, 2, 3, ... in random order, with random signs."""
    count = torch.Size(shape).numel()
    values = source.sample(range(1, count + 1), count)
    return torch.tensor([value * source.choice((-1.0, 1.0)) for value in values]).view(shape)


def tied(source: random.Random, *shape: int) -> torch.Tensor:
    """A float tensor of whole numbers from -3 to 3 without 0, so that magnitudes are often equal."""
    values = [source.choice((-3.0, -2.0, -1.0, 1.0, 2.0, 3.0)) for _ in range(torch.Size(shape).numel())]
    return torch.tensor(values).view(shape)


def normal(source: random.Random, *shape: int) -> torch.Tensor:
    """A float tensor of standard normal numbers."""
    return torch.randn(shape, generator=generator(source))


def truncating_sparsity(source: random.Random, count: int) -> float:
    """A sparsity in hundredths for which int(sparsity * count) is one less than round(...)."""
    choices = [s / 100 for s in range(10, 90) if 0.6 < (s / 100 * count) % 1 < 0.95]
    choices += [s / 100 for s in range(10, 90) if int(s / 100 * count) != s * count // 100]
    return source.choice(choices)


def until(draw: Callable[[], Drawn], suits: Callable[[Drawn], bool]) -> Drawn:
    """Repeat a draw until it meets the condition; RuntimeError where none of 10,000 does."""
    for _ in range(10_000):
        if suits(found := draw()):
            return found
    raise RuntimeError("none of 10,000 draws meets the condition")


def apart(outcomes: list, alike: Callable = operator.eq) -> bool:
    """Whether all outcomes differ: the right one, and those of all mistakes.

    An outcome is a pair of a value and a sentence; outcomes with the same sentence may be alike.
    """
    return not any(
        said != other_said and alike(value, other)
        for i, (value, said) in enumerate(outcomes)
        for other, other_said in outcomes[:i]
    )
