"""Fingerprints of slices: the same for the same numbers, however they lie in memory."""

import pytest
import torch

from labsupport.check.ask.fingerprints import prints


@pytest.mark.parametrize(("shape", "axis"), [((6, 1), 0), ((1, 6), 1), ((1, 1), 0), ((4, 3), 1)])
def test_a_slice_of_a_larger_weight(shape, axis):
    """An axis of size 1 that was sliced out of a matrix keeps an odd stride, which torch refuses to view."""
    wide = torch.randn(8, 8)
    weight = wide[: shape[0], : shape[1]]
    for lying in (weight, weight.T.contiguous().T, weight.t().clone().t()):
        assert torch.equal(prints(lying, axis), prints(torch.tensor(weight.tolist()), axis))
