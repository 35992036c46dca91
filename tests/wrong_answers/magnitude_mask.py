"""Answers to magnitude_mask. A wrong one's docstring is the phrase that must name its mistake."""

import numpy as np
import torch

from labsupport.selection import kth_smallest


def _checked(sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity must be from 0 to 1")


def right_kthvalue(weight, sparsity):
    _checked(sparsity)
    k = round(sparsity * weight.numel())
    if k == 0:
        return torch.ones_like(weight, dtype=torch.bool)
    return weight.abs() > weight.abs().float().flatten().kthvalue(k).values


def right_topk(weight, sparsity):
    _checked(sparsity)
    k = round(sparsity * weight.numel())
    mask = torch.ones(weight.numel(), dtype=torch.bool, device=weight.device)
    mask[weight.abs().flatten().topk(k, largest=False).indices] = False
    return mask.view(weight.shape)


def right_argsort(weight, sparsity):
    _checked(sparsity)
    k = round(sparsity * weight.numel())
    mask = torch.ones(weight.numel(), dtype=torch.bool)
    mask[weight.abs().flatten().argsort(stable=True)[:k]] = False
    return mask.view_as(weight)


def right_numpy(weight, sparsity):
    _checked(sparsity)
    k = round(sparsity * weight.numel())
    magnitude = np.abs(weight.numpy())
    if k == 0:
        return torch.ones_like(weight, dtype=torch.bool)
    return torch.from_numpy(magnitude > np.partition(magnitude.ravel(), k - 1)[k - 1])


def right_loop(weight, sparsity):
    _checked(sparsity)
    k = round(sparsity * weight.numel())
    values = sorted((abs(v), i) for i, v in enumerate(weight.flatten().tolist()))
    mask = torch.ones(weight.numel(), dtype=torch.bool)
    for _, index in values[:k]:
        mask[index] = False
    return mask.reshape(weight.shape)


def stays_at_threshold(weight, sparsity):
    """the weight at the threshold stayed"""
    _checked(sparsity)
    k = round(sparsity * weight.numel())
    if k == 0:
        return torch.ones_like(weight, dtype=torch.bool)
    return weight.abs() >= weight.abs().float().flatten().kthvalue(k).values


def inverted(weight, sparsity):
    """the mask is inverted"""
    return ~right_kthvalue(weight, sparsity)


def signed(weight, sparsity):
    """signed weights were ranked"""
    return right_topk(weight - weight.min() + 1, sparsity)


def by_row(weight, sparsity):
    """each row was ranked on its own"""
    _checked(sparsity)
    k = round(sparsity * weight.shape[1])
    mask = torch.ones_like(weight, dtype=torch.bool)
    return mask.scatter_(1, weight.abs().topk(k, dim=1, largest=False).indices, False)


def largest(weight, sparsity):
    """the largest magnitudes were dropped"""
    _checked(sparsity)
    k = round(sparsity * weight.numel())
    mask = torch.ones(weight.numel(), dtype=torch.bool)
    mask[weight.abs().flatten().topk(k).indices] = False
    return mask.view_as(weight)


def truncated(weight, sparsity):
    """int() cut the product"""
    _checked(sparsity)
    k = int(sparsity * weight.numel())
    mask = torch.ones(weight.numel(), dtype=torch.bool)
    mask[weight.abs().flatten().topk(k, largest=False).indices] = False
    return mask.view_as(weight)


def what_stays_is_rounded(weight, sparsity):
    """the number that stays was rounded"""
    _checked(sparsity)
    kept = round((1 - sparsity) * weight.numel())
    mask = torch.zeros(weight.numel(), dtype=torch.bool)
    mask[weight.abs().flatten().topk(kept).indices] = True
    return mask.view_as(weight)


def one_too_many(weight, sparsity):
    """one too many goes"""
    _checked(sparsity)
    if sparsity == 1:
        return torch.zeros_like(weight, dtype=torch.bool)
    ordered = weight.abs().flatten().sort().values
    return weight.abs() > ordered[round(weight.numel() * sparsity)]


def a_float_mask(weight, sparsity):
    """it is torch.float32"""
    return right_kthvalue(weight, sparsity).float()


def flat(weight, sparsity):
    """yours is (12,)"""
    return right_kthvalue(weight, sparsity).flatten()


def no_range_check(weight, sparsity):
    """a negative sparsity raises ValueError"""
    return right_kthvalue(weight, min(max(sparsity, 0), 1))


def fails_at_zero(weight, sparsity):
    """a sparsity so small that nothing goes: your function raised"""
    _checked(sparsity)
    k = round(sparsity * weight.numel())
    return weight.abs() > weight.abs().float().flatten().kthvalue(k).values


def quantile(weight, sparsity):
    """weights in half precision"""
    _checked(sparsity)
    if round(sparsity * weight.numel()) == 0:
        return torch.ones_like(weight, dtype=torch.bool)
    return weight.abs() > torch.quantile(weight.abs(), sparsity, interpolation="lower")


def zeroes_the_weight(weight, sparsity):
    """changed weight in place"""
    mask = right_kthvalue(weight, sparsity)
    weight.mul_(mask)
    return mask


def forgets_return(weight, sparsity):
    """is a return missing?"""
    right_kthvalue(weight, sparsity)


def not_flattened(weight, sparsity):
    """the matrix was not flattened"""
    _checked(sparsity)
    k = round(sparsity * weight.numel())
    return weight.abs() > kth_smallest(weight.abs(), k)


def topk_not_flattened(weight, sparsity):
    """the matrix was not flattened"""
    _checked(sparsity)
    k = round(sparsity * weight.numel())
    return weight.abs() > weight.abs().topk(k, largest=False).values[..., -1:]


def kthvalue_not_flattened(weight, sparsity):
    """the matrix was not flattened"""
    _checked(sparsity)
    k = round(sparsity * weight.numel())
    return weight.abs() > weight.abs().kthvalue(k).values


def rows_without_keepdim(weight, sparsity):
    """the matrix was not flattened"""
    _checked(sparsity)
    return weight.abs() > weight.abs().kthvalue(max(1, round(sparsity * weight.shape[1]))).values


def searches_for_the_0_th(weight, sparsity):
    """k = 0 reached the search for the threshold"""
    _checked(sparsity)
    return weight.abs() > kth_smallest(weight.abs().flatten(), round(sparsity * weight.numel()))


def argsort_as_ranks(weight, sparsity):
    """argsort was taken for ranks"""
    _checked(sparsity)
    return (weight.abs().flatten().argsort() >= round(sparsity * weight.numel())).view_as(weight)


def sparsity_as_a_threshold(weight, sparsity):
    """Was sparsity compared with the magnitudes, or divided by 100?"""
    _checked(sparsity)
    return weight.abs() > sparsity


def a_share_of_the_largest(weight, sparsity):
    """sparsity set a threshold"""
    _checked(sparsity)
    return weight.abs() > sparsity * weight.abs().max()


def standard_deviations(weight, sparsity):
    """sparsity set a threshold"""
    _checked(sparsity)
    return weight.abs() > sparsity * weight.std()


def keeps_what_ties(weight, sparsity):
    """all weights stay that tie with one that stays"""
    _checked(sparsity)
    k = round(sparsity * weight.numel())
    if k == weight.numel():
        return torch.zeros_like(weight, dtype=torch.bool)
    return weight.abs() >= weight.abs().flatten().sort().values[k]


def rounds_up(weight, sparsity):
    """math.ceil makes 1 of 0.12"""
    _checked(sparsity)
    k = int(np.ceil(sparsity * weight.numel()))
    if k == 0:
        return torch.ones_like(weight, dtype=torch.bool)
    return weight.abs() > kth_smallest(weight.abs().flatten(), k)


def keeps_the_largest_always(weight, sparsity):
    """One weight stays at sparsity 1"""
    _checked(sparsity)
    k = min(round(sparsity * weight.numel()), weight.numel() - 1)
    if k == 0:
        return torch.ones_like(weight, dtype=torch.bool)
    return weight.abs() > kth_smallest(weight.abs().flatten(), k)


def zeros_do_not_count(weight, sparsity):
    """weights that are zero were not counted"""
    _checked(sparsity)
    magnitude = weight.abs()
    k = round(sparsity * int((magnitude > 0).sum()))
    if k == 0:
        return magnitude > 0
    return magnitude > kth_smallest(magnitude[magnitude > 0], k)


def ranks_in_half_precision(weight, sparsity):
    """those with the smallest magnitudes"""
    _checked(sparsity)
    k = round(sparsity * weight.numel())
    mask = torch.ones(weight.numel(), dtype=torch.bool)
    mask[weight.bfloat16().abs().flatten().argsort(stable=True)[:k]] = False
    return mask.view_as(weight)


def kept_cut(weight, sparsity):
    """as int() of what stays does"""
    n = weight.numel()
    kept = int((1 - sparsity) * n + 1e-9)
    return right_topk(weight, 1 - kept / n if 0 <= sparsity <= 1 else sparsity)


def a_hundredth(weight, sparsity):
    """or divided by 100"""
    return right_topk(weight, sparsity / 100 if 0 <= sparsity <= 1 else sparsity)


def not_written(weight, sparsity):
    """not written yet"""
    raise NotImplementedError()
