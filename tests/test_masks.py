"""The given masks: are they those of a full sort, on a whole model?"""

import pytest
import torch

from labsupport import masks
from labsupport.calibration import input_norms
from labsupport.linears import pruned_linears

BATCHES = [torch.arange(64)[None]]


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 1.0])
def test_masks_are_those_of_a_full_sort(tiny_model, sparsity):
    """Magnitude ranks within a matrix, Wanda within a row; every score is drawn, so none ties."""
    norms = input_norms(tiny_model, BATCHES)
    by_size = masks.magnitude_masks(tiny_model, sparsity)
    by_score = masks.wanda_masks(tiny_model, norms, sparsity)
    for name, linear in pruned_linears(tiny_model).items():
        size = linear.weight.abs().flatten()
        gone = size.argsort()[: round(sparsity * len(size))]
        assert torch.equal((~by_size[name]).flatten().nonzero()[:, 0], gone.sort().values)
        score = linear.weight.abs() * norms[name]
        rank = score.argsort(dim=1).argsort(dim=1)  # [out, in]; 0 is the lowest of its row
        assert torch.equal(by_score[name], rank >= round(sparsity * score.shape[1]))


def test_two_of_every_four_stay(tiny_model):
    """Exactly two in each group, and none that goes scores above one that stays."""
    norms = input_norms(tiny_model, BATCHES)
    for name, mask in masks.two_of_four_masks(tiny_model, norms).items():
        groups = mask.view(-1, 4)
        score = (pruned_linears(tiny_model)[name].weight.abs() * norms[name]).view(-1, 4)
        assert bool((groups.sum(dim=1) == 2).all())
        lowest_kept = score.masked_fill(~groups, torch.inf).amin(dim=1)
        assert bool((score.masked_fill(groups, -torch.inf).amax(dim=1) <= lowest_kept).all())
