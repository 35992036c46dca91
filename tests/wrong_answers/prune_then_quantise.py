"""Answers to prune_then_quantise. A wrong one's docstring is the phrase that must name its mistake."""

import numpy as np
import torch


def _spread(each, width, group):
    return each.float().repeat_interleave(group, dim=1)[:, :width]


def _quantise(weight, bits, group):
    parts = weight.float().split(group, dim=1)
    low, high = (torch.stack([end(part, dim=1) for part in parts], dim=1) for end in (torch.amin, torch.amax))
    scale, width = (high - low) / (2**bits - 1), weight.shape[1]
    steps = _spread(torch.where(scale > 0, scale, 1), width, group)
    return ((weight - _spread(low, width, group)) / steps).round().to(torch.uint8), scale, low


def _dequantise(codes, scale, zero, group):
    return _spread(zero, codes.shape[1], group) + _spread(scale, codes.shape[1], group) * codes


def _kept(score, sparsity):
    """bool [out, in]: each row drops its lowest scores."""
    k = round(sparsity * score.shape[1])
    ranks = score.argsort(dim=1).argsort(dim=1)
    return ranks >= k


def _rounded(weight, bits, group):
    return _dequantise(*_quantise(weight, bits, group), group)


def right_twice_masked(weight, norm, sparsity, bits, group):
    mask = _kept(weight.abs() * norm, sparsity)
    return _rounded(weight * mask, bits, group) * mask


def right_masked_fill(weight, norm, sparsity, bits, group):
    gone = ~_kept(weight.abs() * norm, sparsity)
    return _rounded(weight.masked_fill(gone, 0), bits, group).masked_fill(gone, 0)


def right_survivors_alone(weight, norm, sparsity, bits, group):
    """Each grid spans the weights that stay and no zero: finer where they have one sign."""
    mask = _kept(weight.abs() * norm, sparsity).numpy()
    found = np.zeros(weight.shape, dtype=np.float32)
    for row, (values, stays) in enumerate(zip(weight.numpy(), mask, strict=True)):
        for start in range(0, len(values), group):
            places = start + np.flatnonzero(stays[start : start + group])
            if len(places):
                some = values[places].astype(np.float64)
                step = (some.max() - some.min()) / (2**bits - 1) or 1.0
                found[row, places] = some.min() + step * np.rint((some - some.min()) / step)
    return torch.from_numpy(found)


def zeros_come_back(weight, norm, sparsity, bits, group):
    """the zeros moved to the nearest value of the grid"""
    return _rounded(weight * _kept(weight.abs() * norm, sparsity), bits, group)


def codes_of_zero(weight, norm, sparsity, bits, group):
    """the code of a dropped weight was set to 0"""
    mask = _kept(weight.abs() * norm, sparsity)
    codes, scale, zero = _quantise(weight * mask, bits, group)
    return _dequantise(codes * mask, scale, zero, group)


def quantised_first(weight, norm, sparsity, bits, group):
    """the weight was quantised before it was pruned"""
    return _rounded(weight, bits, group) * _kept(weight.abs() * norm, sparsity)


def scores_of_rounded_weights(weight, norm, sparsity, bits, group):
    """the scores are those of the rounded weights"""
    weight = _rounded(weight, bits, group)
    score = weight.abs() * norm
    cut = score.sort(dim=1).values
    k = round(sparsity * score.shape[1])
    return weight * (score > cut[:, k - 1 : k]) if k else weight


def pruned_alone(weight, norm, sparsity, bits, group):
    """the weight was pruned and not quantised"""
    return weight * _kept(weight.abs() * norm, sparsity)


def quantised_alone(weight, norm, sparsity, bits, group):
    """the weight was quantised and not pruned"""
    return _rounded(weight, bits, group)


def int_for_round(weight, norm, sparsity, bits, group):
    """int() cut the number of weights that go down"""
    ranks = (weight.abs() * norm).argsort(dim=1).argsort(dim=1)
    mask = ranks >= int(sparsity * weight.shape[1])
    return _rounded(weight * mask, bits, group) * mask


def by_magnitude(weight, norm, sparsity, bits, group):
    """the norm was left out"""
    mask = _kept(weight.abs(), sparsity)
    return _rounded(weight * mask, bits, group) * mask


def whole_matrix(weight, norm, sparsity, bits, group):
    """the scores were ranked over the whole matrix"""
    score = (weight.abs() * norm).view(1, -1)
    mask = _kept(score, sparsity).view(weight.shape)
    return _rounded(weight * mask, bits, group) * mask


def drops_the_highest(weight, norm, sparsity, bits, group):
    """the highest scores were dropped"""
    mask = _kept(-weight.abs() * norm, sparsity)
    return _rounded(weight * mask, bits, group) * mask


def codes_alone(weight, norm, sparsity, bits, group):
    """it is torch.uint8"""
    mask = _kept(weight.abs() * norm, sparsity)
    return _quantise(weight * mask, bits, group)[0] * mask


def all_three(weight, norm, sparsity, bits, group):
    """the answer is of type tuple"""
    return _quantise(weight * _kept(weight.abs() * norm, sparsity), bits, group)


def tuple_as_a_weight(weight, norm, sparsity, bits, group):
    """quantise returns three tensors"""
    mask = _kept(weight.abs() * norm, sparsity)
    return _quantise(weight * mask, bits, group).float() * mask


def tuple_as_codes(weight, norm, sparsity, bits, group):
    """quantise returns three tensors, in a tuple"""
    mask = _kept(weight.abs() * norm, sparsity)
    return _dequantise(_quantise(weight * mask, bits, group), group) * mask


def in_place(weight, norm, sparsity, bits, group):
    """changed weight in place"""
    mask = _kept(weight.abs() * norm, sparsity)
    return _rounded(weight.mul_(mask), bits, group) * mask


def forgets_return(weight, norm, sparsity, bits, group):
    """is a return missing?"""
    right_twice_masked(weight, norm, sparsity, bits, group)


def not_written(weight, norm, sparsity, bits, group):
    """not written yet"""
    raise NotImplementedError()
