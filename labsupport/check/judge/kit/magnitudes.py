"""Magnitude masks of one matrix, or of several as one row: conditions and likely mistakes."""

import math
from collections.abc import Iterator

import torch

from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.compare import Wrong, drop_range, drops_lowest
from labsupport.selection import kth_smallest

SMALLEST = see("2.1", "The smallest go first")
QUANTILE = (
    "A quantile as the threshold does the same here: torch.quantile measures n - 1 steps and may end "
    "between two magnitudes, it does not count."
)
SHARE = (
    "It looks as if sparsity was taken for the share that stays. It is the share that goes: at sparsity 0 "
    "every weight stays."
)
STAYING = (
    "It looks as if the number that stays was rounded. The number that goes is: round({0} * {1}) = {2}. In "
    "Python round(0.5) is 0, and round(1.5) is 2."
)
RANKS = (
    "It looks as if argsort was taken for ranks. It says which entry comes first, which second; the place "
    "that an entry takes is argsort().argsort().\nTry both on [30, 10, 20]."
)


def joined(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    """All entries of a dict of tensors of any shape as one row [n], by sorted name."""
    return torch.cat([tensors[name].flatten() for name in sorted(tensors)])


def right_count(weight: torch.Tensor, mask: torch.Tensor, scores: torch.Tensor, k: int) -> None:
    """Raise Wrong unless k weights are dropped, or more if magnitudes tie with the threshold.

    weight, mask: [out, in] or [n], for the message; scores: [n], the magnitudes.
    """
    least, most = drop_range(scores, k)
    dropped = int((~mask).sum())
    if not least <= dropped <= most:
        ties = "" if least == most else f" to {most}"
        why = ties and ", because magnitudes tie at the cut"
        expected = f"{least}{ties} dropped{why}"
        raise Wrong(f"yours drops {dropped}", weight=weight, your_mask=mask, expected=expected)


def smallest_dropped(weight: torch.Tensor, mask: torch.Tensor, scores: torch.Tensor, k: int) -> None:
    """Raise Wrong unless the k smallest magnitudes are dropped, tie-aware. Shapes as above."""
    if not drops_lowest(mask.flatten(), scores, k):
        kept, gone = scores[mask.flatten()], scores[~mask.flatten()]  # [kept], [dropped]
        raise Wrong(
            weight=weight,
            your_mask=mask,
            smallest_kept=f"magnitude {kept.min():.4g}" if len(kept) else "none",
            largest_dropped=f"magnitude {gone.max():.4g}" if len(gone) else "none",
        )


def mask_mistakes(weight: torch.Tensor, mask: torch.Tensor, sparsity: float) -> Iterator[Named]:
    """The mistakes that explain a wrong magnitude mask exactly. weight, mask: [out, in] or [n]."""
    if mask.dtype is not torch.bool or mask.shape != weight.shape:
        return
    n = weight.numel()
    k, scores, flat = round(sparsity * n), weight.abs().flatten(), mask.flatten()  # scores, flat: [n]
    dropped = int((~flat).sum())
    quantile = bool(torch.equal(flat, scores > torch.quantile(scores, sparsity)))
    too = f"\n{QUANTILE}" if quantile else ""
    if not 0 < k < n:
        yield from at_an_end(dropped, k, n)
    elif drops_lowest(~flat, scores, k):
        yield (
            f"It looks as if the mask is inverted: in this course True means keep, {SMALLEST}\n"
            "Try mask.sum(): it should be the number of weights that stay."
        )
    if drops_lowest(flat, -scores, k):
        yield f"It looks as if the largest magnitudes were dropped instead of the smallest, {SMALLEST}"
    if drops_lowest(flat, weight.flatten(), k):
        yield (
            "It looks as if the signed weights were ranked. -4 is far from zero: its magnitude is 4.\n"
            "Try weight.abs() before you rank."
        )
    if weight.dim() == 2 and drops_lowest(mask, weight.abs(), round(sparsity * weight.shape[-1])):
        yield (
            "It looks as if each row was ranked on its own. Magnitude pruning ranks the whole matrix; "
            "ranking inside rows comes with Wanda in lab 04. Try weight.flatten()."
        )
    if k == 0 < dropped <= drop_range(scores, 1)[1] and drops_lowest(flat, scores, dropped):
        yield none_to_drop("weight", sparsity * n)
    if k == n == dropped + 1 and drops_lowest(flat, scores, dropped):
        yield "One weight stays at sparsity 1. There k is n, so the largest magnitude goes too."
    if 0 < k < n and drop_range(scores, k)[1] > k and torch.equal(flat, scores >= kth_smallest(scores, k)):
        yield (
            "It looks as if all weights stay that tie with one that stays: then fewer go than k. Those that "
            f"tie at the cut may all go, {SMALLEST}"
        )
    if dropped == k - 1 == n - round((1 - sparsity) * n) and drops_lowest(flat, scores, k - 1):
        yield Cause(STAYING.format(sparsity, n, k) + too, "what stays was rounded")
    if dropped == k - 1 == int(sparsity * n) and drops_lowest(flat, scores, k - 1):
        yield Cause(
            f"It looks as if int() cut the product {sparsity} * {n} = {sparsity * n:.6g} down, "
            f"or ceil() lifted what stays; round() what goes.{too}",
            "int instead of round",
        )
    if dropped == k - 1 and drops_lowest(flat, scores, k - 1):
        yield Cause(
            "It looks as if the weight at the threshold stayed: it is the k-th smallest, it goes.\n"
            f"Look at your comparison: > and >= differ by just this weight.{too}",
            "the weight at the threshold stays",
        )
    lifted = k > 0 and dropped == k + 1 == math.ceil(sparsity * n)
    if lifted and drops_lowest(flat, scores, dropped):
        product = f"{sparsity} * {n} = {sparsity * n:.6g}"
        yield Cause(f"It looks as if ceil() lifted {product}; round() it.{too}", "ceil instead of round")
    if dropped > k and drops_lowest(flat, scores, dropped) and dropped <= drop_range(scores, k + 1)[1]:
        entry = "entry k of the sorted list is the (k+1)-th smallest, for the list counts from 0"
        measured = (
            "torch.quantile does not count the magnitudes: it measures n - 1 steps and may end between "
            f"two of them. Likewise, {entry}."
        )
        yield Cause(
            f"It looks as if one too many goes: {measured if quantile else f'{entry}.'}\n"
            "Try k = 1 on a list of three numbers.",
            "one too many",
        )
    if dropped != k and dropped == n - k and drops_lowest(flat, scores, n - k):
        yield SHARE
    yield from _other_rules(weight, flat, sparsity, k)


def at_an_end(dropped: int, k: int, n: int) -> Iterator[Named]:
    """The mistake of a mask that drops all of n where k = 0 go, or none where all go."""
    if dropped == n - k:
        what = "all go although k is 0" if k == 0 else f"all stay although all {n} go"
        text = (
            f"It looks as if {what}. A slice such as order[-k:] is the whole list where k is 0: write "
            "order[n - k:], or treat that case first."
        )
        yield Cause(text, "a slice [-0:]")


def none_to_drop(what: str, product: float) -> Cause:
    """The mistake of an answer that drops the smallest `what` although this product rounds to 0."""
    up = f"math.ceil makes 1 of {product:.3g}, as int() of what stays does, and " if product else ""
    return Cause(
        f"It looks as if the smallest {what} goes although k is 0: {up}a threshold found among them, by "
        "kthvalue or torch.quantile, drops one at least.\n"
        "Try sparsity 0: every weight stays.",
        "the smallest goes although k is 0",
    )


def _other_rules(weight: torch.Tensor, mask: torch.Tensor, sparsity: float, k: int) -> Iterator[Named]:
    """Mistakes of another rule for what goes. weight: [out, in] or [n]; mask: [n]."""
    scores, n = weight.abs().flatten(), len(mask)  # [n]
    dropped = int((~mask).sum())
    nonzero = scores[scores > 0]
    if dropped == 0 < k:
        yield (
            "No weight goes. Was sparsity compared with the magnitudes, or divided by 100? It is no "
            f"threshold and no percentage: it is the share of the weights that go, {SMALLEST}"
        )
    sizes = (
        (1, scores.max(), scores.mean(), weight.std())
        if 4 * len(scores.unique()) >= 3 * n and abs(dropped - k) > 1  # few tie
        else ()
    )
    if any(torch.equal(mask, scores > sparsity * size) for size in sizes):
        yield f"It looks as if sparsity set a threshold. It is the share of the weights that go, {SMALLEST}"
    if torch.equal(mask, scores.argsort() >= k):
        yield RANKS
    left = round(sparsity * len(nonzero))  # drawn from those that are not zero yet
    if 0 < len(nonzero) < n and drops_lowest(mask[scores > 0], nonzero, left) and not mask[scores == 0].any():
        yield "It looks as if weights that are zero were not counted. They are the smallest and go first."
