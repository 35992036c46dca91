"""Answers to masked_lora_forward. A wrong one's docstring is the phrase that must name its mistake."""

import torch
from torch.nn import functional


def right_merged(x, weight, a, b, scaling, mask):
    return x @ ((weight + scaling * b @ a) * mask).T


def right_two_paths(x, weight, a, b, scaling, mask):
    update = torch.where(mask, scaling * (b @ a), torch.zeros_like(weight))
    return functional.linear(x, weight * mask) + functional.linear(x, update)


def right_rank_by_rank(x, weight, a, b, scaling, mask):
    """No product of b and a: the mask stands between the two halves of every rank."""
    kept = mask.to(x.dtype)
    each = [((x * row) @ kept.T) * column for row, column in zip(a, b.T, strict=True)]
    return x @ (weight * kept).T + scaling * sum(each)


def right_filled_in_place(x, weight, a, b, scaling, mask):
    """autograd knows of what is written into a tensor in place."""
    merged = torch.addmm(weight, b, a, alpha=scaling)
    merged[~mask] = 0
    return torch.einsum("...i,oi->...o", x, merged)


def right_less_what_is_dropped(x, weight, a, b, scaling, mask):
    """The layer with LoRA, less what the dropped places add."""
    merged = weight + scaling * b @ a
    return x @ merged.T - x @ merged.masked_fill(mask, 0).T


def open_path(x, weight, a, b, scaling, mask):
    """LoRA's path is not masked"""
    return x @ (weight * mask).T + scaling * (x @ a.T @ b.T)


def no_mask(x, weight, a, b, scaling, mask):
    """LoRA's path is not masked"""
    return x @ weight.T + scaling * (x @ a.T @ b.T)


def only_the_update(x, weight, a, b, scaling, mask):
    """only the update was masked"""
    return x @ (weight + scaling * (b @ a) * mask).T


def inverted(x, weight, a, b, scaling, mask):
    """the mask is inverted"""
    return x @ ((weight + scaling * b @ a) * ~mask).T


def by_zeros(x, weight, a, b, scaling, mask):
    """the zeros of weight were taken for the mask"""
    return x @ ((weight + scaling * b @ a) * (weight != 0)).T


def frozen_alone(x, weight, a, b, scaling, mask):
    """the LoRA matrices were not used"""
    return x @ (weight * mask + 0 * b @ a).T


def update_alone(x, weight, a, b, scaling, mask):
    """the frozen weight is missing"""
    return x @ (scaling * (b @ a) * mask).T


def no_scaling(x, weight, a, b, scaling, mask):
    """scaling is missing"""
    return x @ ((weight + b @ a) * mask).T


def scales_everything(x, weight, a, b, scaling, mask):
    """the frozen weight was scaled too"""
    return scaling * x @ ((weight + b @ a) * mask).T


def by_rank(x, weight, a, b, scaling, mask):
    """scaling was divided by the rank"""
    return x @ ((weight + scaling / len(a) * b @ a) * mask).T


def like_dropout(x, weight, a, b, scaling, mask):
    """the kept weights were made larger"""
    return x @ ((weight + scaling * b @ a) * mask / mask.float().mean()).T


def exchanged(x, weight, a, b, scaling, mask):
    """a and b changed places"""
    return x @ ((weight + scaling * a @ b) * mask).T


def not_transposed(x, weight, a, b, scaling, mask):
    """a matrix is not transposed"""
    return x @ ((weight + scaling * b @ a) * mask)


def mask_over_a(x, weight, a, b, scaling, mask):
    """the mask was laid over a or b"""
    return x @ weight.T + scaling * x @ (a * mask).T @ b.T


def behind_autograd(x, weight, a, b, scaling, mask):
    """without autograd's knowledge"""
    merged = weight + scaling * b @ a
    merged.data *= mask
    return x @ merged.T


def under_no_grad(x, weight, a, b, scaling, mask):
    """without autograd's knowledge"""
    merged = weight + scaling * b @ a
    with torch.no_grad():
        merged[~mask] = 0
    return x @ merged.T


def cut_off(x, weight, a, b, scaling, mask):
    """the way back to a and b was cut off"""
    return x @ ((weight + scaling * b @ a) * mask).detach().T


def nothing_learns(x, weight, a, b, scaling, mask):
    """nothing can learn"""
    with torch.no_grad():
        return right_merged(x, weight, a, b, scaling, mask)


def a_is_frozen(x, weight, a, b, scaling, mask):
    """none reaches a"""
    return right_merged(x, weight, a.detach(), b, scaling, mask)


def before_learns_nothing(x, weight, a, b, scaling, mask):
    """none reaches x"""
    return right_merged(x.detach(), weight, a, b, scaling, mask)


def in_float64(x, weight, a, b, scaling, mask):
    """it is torch.float64"""
    return right_merged(x.double(), weight.double(), a.double(), b.double(), scaling, mask)


def in_place(x, weight, a, b, scaling, mask):
    """changed weight in place"""
    outputs = right_merged(x, weight.clone(), a, b, scaling, mask)
    weight += (scaling * b @ a).detach()
    return outputs


def forgets_return(x, weight, a, b, scaling, mask):
    """is a return missing?"""
    right_merged(x, weight, a, b, scaling, mask)


def subtracts(x, weight, a, b, scaling, mask):
    """the LoRA part was taken away"""
    return x @ ((weight - scaling * b @ a) * mask).T


def not_written(x, weight, a, b, scaling, mask):
    """not written yet"""
    raise NotImplementedError()
