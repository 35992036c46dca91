"""The likely mistake behind wrong scores of coupled structures: other owners, or other saliencies."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import torch

from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.owners import SALIENCY, Coupled, near, tally

CRITERIA = see("5.2", "Four criteria")
Mistakes = list[tuple[torch.Tensor, Named]]  # scores, float64 [count], and the sentence on the mistake


def apart(of: Coupled, mistakes: Mistakes) -> bool:
    """Whether all mistakes give distinct scores, so that a wrong answer identifies its mistake."""
    return draw.apart([(of.scores(), "right"), *mistakes], torch.equal)


def causes(of: Coupled, mistakes: Mistakes, score) -> Iterator[Named]:
    """The mistakes that explain these scores: first those of the structure, then those of the criterion."""
    fits = isinstance(score, torch.Tensor) and score.shape == (of.count,)
    if of.criterion == "random" or not fits or near(score, of.scores()):
        return
    yield from (said for other, said in mistakes if near(score, other))
    if not bool(score.isfinite().all()):
        yield from _overflow(of)
        return
    if of.criterion == "taylor":
        yield from _of_gradients(of, score)
    yield from _of_magnitudes(of, score)


def _overflow(of: Coupled) -> Iterator[Named]:
    if of.weights[0].dtype is torch.float16:
        yield (
            "It looks as if half precision overflowed before the sum: float16 holds no square above 65504, "
            f"{CRITERIA}\nTry weight.float() before anything else."
        )


def _of_gradients(of: Coupled, score: torch.Tensor) -> Iterator[Named]:
    """Mistakes of taylor: signs, sums of products, exchanged gradients. score: [count]."""
    nets = [  # float64 [count] each: signed products, added up within one weight
        tally([w * g], [owner], of.count) for (w, g), owner in zip(of.pairs(), of.owners, strict=True)
    ]
    total: Any = sum(nets)
    sizes: Any = sum(net.abs() for net in nets)
    if near(score, total.abs()) or near(score, sizes):
        yield (
            "It looks as if weight times gradient was summed first and the absolute value taken of the "
            f"sum: then +3 and -3 cancel. Here each product counts by itself, {CRITERIA}"
        )
    if near(score, total) or near(score, -total):
        yield f"It looks as if signs were kept: each product counts by its absolute value, {CRITERIA}"
    if near(score, of.scores(lambda _, g: g.abs())):
        yield f"It looks as if gradients alone were summed. Taylor is weight times gradient, {CRITERIA}"
    if near(score, of.scores(lambda w, g: (w * g).square())):
        yield f"It looks as if the products were squared: their absolute values count, {CRITERIA}"
    if any(near(score, other) for other in _exchanged(of)):
        yield (
            "It looks as if gradients met other weights than their own: grads come in the order of the "
            f"weights, {CRITERIA}"
        )


def _exchanged(of: Coupled) -> Iterator[torch.Tensor]:
    """Scores, float64 [count], with the gradients of two weights of one shape exchanged."""
    for i, j in combinations(range(len(of.weights)), 2):
        if of.weights[i].shape == of.weights[j].shape:
            assert of.grads is not None
            grads = list(of.grads)
            grads[i], grads[j] = grads[j], grads[i]
            yield replace(of, grads=grads).scores()


def _of_magnitudes(of: Coupled, score: torch.Tensor) -> Iterator[Named]:
    """Mistakes of any criterion: signs, the criterion itself, roots, means. score: [count]."""
    right, pairs = of.scores(), of.pairs()
    if of.criterion == "l1" and near(score, of.scores(lambda w, _: w)):
        yield f"It looks as if the weights' signs were kept: -4 is as far from zero as 4, {CRITERIA}"
    for other in ("l1", "l2"):
        if other != of.criterion and near(score, of.scores(SALIENCY[other])):
            yield Cause(
                f'It looks as if "{other}" was computed where "{of.criterion}" was asked for, {CRITERIA}',
                "another criterion",
            )
    roots = [  # float64 [count] each
        tally([w.square()], [owner], of.count).sqrt() for (w, _), owner in zip(pairs, of.owners, strict=True)
    ]
    rooted: Any = sum(roots)
    if of.criterion == "l2" and (near(score, right.sqrt()) or near(score, rooted)):
        yield (
            "It looks as if a root was taken. The name l2 stands for the sum of squares here, with no root: "
            f"squares of several matrices add up, {CRITERIA}\nTry score ** 2."
        )
    saliency = SALIENCY[of.criterion]
    means: Any = sum(  # float64 [count]
        tally([saliency(w, g)], [owner], of.count) * of.count / w.numel()
        for (w, g), owner in zip(pairs, of.owners, strict=True)
    )
    factors = score.double() / right  # [count]
    by_one_factor = of.count > 1 and near(factors, factors[:1].expand(of.count))
    if by_one_factor:
        text = (
            "It looks as if means were taken instead of sums, or all scores were divided by one number: all "
            f"are right up to one factor, {float(factors[0]):.3g}. The score is the sum itself, {CRITERIA}"
        )
        yield Cause(text, "means, or one factor")
    if near(score, means) or near(score, means / len(pairs)):
        yield (
            "It looks as if means were taken instead of sums. All weights of a structure count alike, in "
            f"large matrices and in small ones, {CRITERIA}"
        )
