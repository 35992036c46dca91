"""Magnitude masks of one matrix, or of several as one row: conditions and likely mistakes."""

from collections.abc import Iterator

import torch

from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.compare import Wrong, drop_range, drops_lowest

SMALLEST = see("2.1", "The smallest go first")
QUANTILE = (
    "A quantile as the threshold does the same here: torch.quantile measures n - 1 steps and may end "
    "between two magnitudes, it does not count."
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
        allowed = f"{least}" if least == most else f"{least} to {most}, because magnitudes tie at the cut"
        raise Wrong(f"yours drops {dropped}", weight=weight, your_mask=mask, expected=f"{allowed} dropped")


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
    if drops_lowest(~flat, scores, k):
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
        yield (
            "It looks as if the smallest weight goes although k is 0: a threshold found among the "
            "magnitudes, by kthvalue or torch.quantile, drops one at least.\n"
            "Try sparsity 0: every weight stays."
        )
    if dropped == k - 1 == int(sparsity * n) and drops_lowest(flat, scores, k - 1):
        yield Cause(
            f"It looks as if int() cut the product {sparsity} * {n} = {sparsity * n:.6g} down; "
            f"round() it.{too}",
            "int instead of round",
        )
    if dropped == k - 1 and drops_lowest(flat, scores, k - 1):
        yield Cause(
            "It looks as if the weight at the threshold stayed: it is the k-th smallest, it goes.\n"
            f"Look at your comparison: > and >= differ by just this weight.{too}",
            "the weight at the threshold stays",
        )
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
        yield (
            "It looks as if sparsity was taken for the share that stays. It is the share that goes: at "
            "sparsity 0 every weight stays."
        )
