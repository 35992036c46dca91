"""Answers to merge_lora. A wrong one's docstring is the phrase that must name its mistake."""

import torch


def right_mask_at_the_end(weight, a, b, scaling, mask=None):
    merged = weight + scaling * b @ a
    return merged if mask is None else merged * mask


def only_the_update_is_masked(weight, a, b, scaling, mask=None):
    """only the update was masked"""
    update = scaling * b @ a
    if mask is not None:
        update = update.masked_fill(~mask, 0)
    return weight + update


def right_where(weight, a, b, scaling, mask=None):
    merged = torch.addmm(weight, b, a, alpha=scaling)
    return merged if mask is None else torch.where(mask, merged, torch.zeros_like(merged))


def right_rank_by_rank(weight, a, b, scaling, mask=None):
    merged = weight.clone()
    for row, column in zip(a, b.T, strict=True):
        merged += scaling * torch.outer(column, row)
    if mask is not None:
        merged[~mask] = 0
    return merged


def fills_the_zeros(weight, a, b, scaling, mask=None):
    """B A is not masked. It is dense, so that merging fills the zeros"""
    return weight + scaling * b @ a


def masks_by_zeros(weight, a, b, scaling, mask=None):
    """the zeros of weight were taken for the mask"""
    merged = weight + scaling * b @ a
    return merged if mask is None else merged * (weight != 0)


def masks_weight_and_not_the_update(weight, a, b, scaling, mask=None):
    """B A is not masked. It is dense, so that merging fills the zeros"""
    return (weight if mask is None else weight * mask) + scaling * b @ a


def right_masks_both(weight, a, b, scaling, mask=None):
    update = scaling * b @ a
    return weight + update if mask is None else weight * mask + update * mask


def scales_the_mask(weight, a, b, scaling, mask=None):
    """weights that the mask keeps have learned"""
    merged = weight + scaling * b @ a
    return merged if mask is None else merged * mask / mask.float().mean()


def in_float64(weight, a, b, scaling, mask=None):
    """it is torch.float64"""
    return right_mask_at_the_end(weight.double(), a.double(), b.double(), scaling, mask)


def masks_that_keep_some_alone(weight, a, b, scaling, mask=None):
    """weights that the mask drops are zero"""
    merged = weight + scaling * b @ a
    return merged * mask if mask is not None and mask.any() else merged


def inverted(weight, a, b, scaling, mask=None):
    """weights that the mask drops are zero"""
    merged = weight + scaling * b @ a
    return merged if mask is None else merged * ~mask


def in_place(weight, a, b, scaling, mask=None):
    """changed weight in place"""
    weight += scaling * b @ a
    return weight if mask is None else weight.mul_(mask)


def no_scaling(weight, a, b, scaling, mask=None):
    """scaling is missing"""
    return right_mask_at_the_end(weight, a, b, 1.0, mask)


def by_rank(weight, a, b, scaling, mask=None):
    """scaling was divided by the rank"""
    return right_mask_at_the_end(weight, a, b, scaling / len(a), mask)


def update_alone(weight, a, b, scaling, mask=None):
    """the weight itself is missing"""
    return right_mask_at_the_end(weight * 0, a, b, scaling, mask)


def subtracts(weight, a, b, scaling, mask=None):
    """the LoRA part was taken away"""
    return right_mask_at_the_end(weight, a, b, -scaling, mask)


def exchanged(weight, a, b, scaling, mask=None):
    """a and b changed places"""
    return right_mask_at_the_end(weight, b, a, scaling, mask)


def transposed(weight, a, b, scaling, mask=None):
    """the LoRA part is transposed"""
    return right_mask_at_the_end(weight, b.T, a.T, scaling, mask)


def unmerged(weight, a, b, scaling, mask=None):
    """nothing was merged"""
    return weight.clone()


def only_with_a_mask(weight, a, b, scaling, mask=None):
    """your function raised TypeError"""
    return (weight + scaling * b @ a) * mask


def asks_the_mask(weight, a, b, scaling, mask=None):
    """`if mask is None:` asks whether there is one"""
    merged = weight + scaling * b @ a
    return merged * mask if mask else merged


def keeps_zeros_without_a_mask(weight, a, b, scaling, mask=None):
    """zeros of weight were kept, though there is no mask"""
    merged = weight + scaling * b @ a
    return merged * (weight != 0 if mask is None else mask)


def in_half_precision(weight, a, b, scaling, mask=None):
    """rounded to half precision"""
    merged = (weight.half() + scaling * b.half() @ a.half()).float()
    return merged if mask is None else merged * mask


def one_minus_mask(weight, a, b, scaling, mask=None):
    """a mask was turned round by 1 - mask"""
    merged = weight + scaling * b @ a
    return merged if mask is None else merged * (1 - mask)


def not_written(weight, a, b, scaling, mask=None):
    """not written yet"""
    raise NotImplementedError()
