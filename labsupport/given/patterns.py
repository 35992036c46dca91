"""Four mask patterns that drop half of one matrix: one for each pruning method of the course."""

import torch

from labsupport.selection import kth_smallest

FROM = 0  # the first lab that is given this file
ANSWERS = ("magnitude_mask", "row_mask", "n_of_m_mask")


def halves(score: torch.Tensor) -> dict[str, torch.Tensor]:
    """Masks (bool, True = keep) of one [out, in] matrix of scores, by name.

    Each drops the lower half: of the whole matrix, of every row, of every 4 neighbours, and of whole
    columns. The input size is a multiple of 4.
    """
    whole = upper_half(score.flatten()).view_as(score)
    fours = upper_half(score.unflatten(1, (-1, 4))).view_as(score)  # ranked [out, groups, 4]
    columns = upper_half(score.sum(dim=0)).expand_as(score)
    return {
        "anywhere (lab 02)": whole,
        "in each row (lab 04)": upper_half(score),
        "2 of every 4 (lab 04)": fours,
        "whole channels (lab 05)": columns,
    }


def upper_half(score: torch.Tensor) -> torch.Tensor:
    """Bool [..., n], True = keep: the upper half of the scores along the last axis."""
    return score > kth_smallest(score, score.shape[-1] // 2)
