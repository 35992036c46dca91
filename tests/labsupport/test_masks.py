"""The given masks: are they those of a full sort, on a whole model?"""

import pytest
import torch

from labsupport import selection
from labsupport.given import masks, wanda
from labsupport.given.input_norms import input_norms
from labsupport.linears import pruned_linears

BATCHES = [torch.arange(64)[None]]


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 1.0])
def test_masks_are_those_of_a_full_sort(tiny_model, sparsity):
    """Magnitude ranks within a matrix, Wanda within a row; every score is drawn, so none ties."""
    norms = input_norms(tiny_model, BATCHES)
    by_size = masks.magnitude_masks(tiny_model, sparsity)
    by_score = wanda.wanda_masks(tiny_model, norms, sparsity)
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
    for name, mask in wanda.n_of_m_masks(tiny_model, norms).items():
        groups = mask.view(-1, 4)
        score = (pruned_linears(tiny_model)[name].weight.abs() * norms[name]).view(-1, 4)
        assert bool((groups.sum(dim=1) == 2).all())
        lowest_kept = score.masked_fill(~groups, torch.inf).amin(dim=1)
        assert bool((score.masked_fill(groups, -torch.inf).amax(dim=1) <= lowest_kept).all())


def drawn(kind: str, count: int) -> torch.Tensor:
    values = torch.randn(count, generator=torch.Generator().manual_seed(3)).abs()
    return {
        "distinct": values,
        "tied": (values * 4).round(),
        "equal": torch.full_like(values, 2.0),
        "sorted": values.sort().values,
        "one column in 4096 is loud": torch.where(torch.arange(count) % 4096 == 7, values * 50, values),
        "the sample sees what nothing else is": torch.where(
            torch.arange(count) % 17 == 0, values + 9, values
        ),
        "half precision": values.half(),
    }[kind]


@pytest.mark.lengthy
@pytest.mark.parametrize("share", [1e-6, 0.3, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("kind", ["distinct", "tied", "equal", "sorted", "one column in 4096 is loud",
                                  "the sample sees what nothing else is", "half precision"])  # fmt: skip
def test_the_cut_of_very_many_scores(kind, share):
    """Selection by a sample is exact, also where the sample misleads: the sorted list says the same."""
    scores = drawn(kind, selection.MANY + 12_345)
    k = max(1, round(share * len(scores)))
    assert selection.kth_smallest(scores, k) == scores.sort().values[k - 1]
    assert torch.equal(masks.kept(scores[None], share)[0], scores > scores.sort().values[k - 1])


def test_one_nan_is_no_low_score():
    """A NaN ranks above every number, as in torch's own sort, and is never kept."""
    scores = drawn("distinct", selection.MANY + 1)
    scores[::1000] = torch.nan
    assert selection.kth_smallest(scores, 1000) == scores.sort().values[999]
    assert not masks.kept(scores[None], 0.5)[0][::1000].any()


@pytest.mark.parametrize("shape", [(3, 40_000), (700, 300), (2, 1)])
def test_rows_in_blocks(shape):
    """Every row is cut by its own scores, wherever a block of rows ends."""
    scores = torch.randn(shape, generator=torch.Generator().manual_seed(1)).abs()
    k = round(0.5 * shape[1])
    expected = scores > scores.kthvalue(k, dim=1, keepdim=True).values if k else scores > -1
    assert torch.equal(masks.kept(scores, 0.5), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64])
@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 7)])
def test_kth_smallest_is_what_kthvalue_finds(shape, dtype):
    """Along the last axis, ready to be compared with, in the values' own dtype, gradients or not."""
    values = (10 * torch.randn(shape, generator=torch.Generator().manual_seed(3))).to(dtype)
    values.requires_grad_(dtype.is_floating_point)
    for k in (1, 4, 7):
        found = selection.kth_smallest(values, k)
        assert found.dtype == dtype
        assert torch.equal(found, values.detach().kthvalue(k, dim=-1, keepdim=True).values)


@pytest.mark.parametrize("k", [0, -1, 8])
def test_there_is_no_such_smallest(k):
    with pytest.raises(ValueError, match=f"k is {k}: it must be from 1 to 7"):
        selection.kth_smallest(torch.zeros(3, 7), k)
