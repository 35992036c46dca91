"""Four ways to drop half of one matrix: what the labs of this course differ in, at a glance."""

import torch

from labsupport.masks import kept


def halves(score: torch.Tensor) -> dict[str, torch.Tensor]:
    """Masks (bool, True = keep) of one [out_features, in_features] matrix of scores, by name.

    Each drops the lower half: of the whole matrix, of every row, of every 4 neighbours, and of the
    columns as wholes. in_features is a multiple of 4.
    """
    whole = kept(score.flatten()[None], 0.5).view_as(score)
    fours = kept(score.unflatten(1, (-1, 4)).flatten(0, 1), 0.5).view_as(score)
    columns = kept(score.sum(dim=0)[None], 0.5).expand_as(score)
    return {
        "anywhere (lab 02)": whole,
        "in each row (lab 04)": kept(score, 0.5),
        "2 of every 4 (lab 04)": fours,
        "whole channels (lab 05)": columns,
    }
