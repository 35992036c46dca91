"""Answers to compensation. A wrong one's docstring is the phrase that must name its mistake."""

import torch
from torch.nn import functional


def _dropped(weight, keep):
    stays = torch.zeros(weight.shape[1], dtype=torch.bool, device=keep.device)
    stays[keep] = True
    return ~stays


def _tokens(x):
    return x.float().reshape(-1, x.shape[-1])


def right_indexing(down_weight, x, keep):
    gone = _dropped(down_weight, keep)
    return down_weight[:, gone].float() @ _tokens(x)[:, gone].mean(dim=0)


def right_difference_of_outputs(down_weight, x, keep):
    """The mean output of the whole layer less that of the sliced one: no dropped channel is named."""
    weight, x = down_weight.float(), _tokens(x)
    whole, sliced = functional.linear(x, weight), functional.linear(x[:, keep], weight[:, keep])
    return (whole - sliced).mean(dim=0)


def right_mean_with_holes(down_weight, x, keep):
    """As in FLAP's code: the kept channels get a mean of zero."""
    mean = _tokens(x).mean(dim=0).index_fill(0, keep, 0.0)
    return mean @ down_weight.float().T


def right_least_squares(down_weight, x, keep):
    """The constant nearest to what is missing, by least squares on a column of ones."""
    gone = _dropped(down_weight, keep)
    missing = (_tokens(x)[:, gone] @ down_weight[:, gone].float().T).double()
    ones = torch.ones(len(missing), 1, dtype=torch.float64, device=missing.device)
    return torch.linalg.lstsq(ones, missing).solution[0].float()


def right_channel_by_channel(down_weight, x, keep):
    bias, kept = torch.zeros(len(down_weight), device=x.device), set(keep.tolist())
    for channel in range(down_weight.shape[1]):
        if channel not in kept:
            bias += down_weight[:, channel].float() * x[..., channel].float().mean()
    return bias


def kept_for_dropped(down_weight, x, keep):
    """the kept channels were taken"""
    return down_weight[:, keep].float() @ _tokens(x)[:, keep].mean(dim=0)


def all_channels(down_weight, x, keep):
    """all channels were taken"""
    return down_weight.float() @ _tokens(x).mean(dim=0)


def wrong_sign(down_weight, x, keep):
    """the sign is wrong"""
    return -right_indexing(down_weight, x, keep)


def sum_for_mean(down_weight, x, keep):
    """the sum over the tokens was taken"""
    return right_indexing(down_weight, x, keep) * len(_tokens(x))


def one_token(down_weight, x, keep):
    """one token alone was taken"""
    return right_indexing(down_weight, _tokens(x)[-1], keep)


def absolute(down_weight, x, keep):
    """absolute values were averaged"""
    return right_indexing(down_weight, x.abs(), keep)


def root_mean_square(down_weight, x, keep):
    """the size of the inputs was taken"""
    return right_indexing(down_weight, _tokens(x).square().mean(dim=0).sqrt(), keep)


def fluctuation(down_weight, x, keep):
    """the fluctuation was taken"""
    return right_indexing(down_weight, _tokens(x).var(dim=0, unbiased=False), keep)


def one_mean_for_all(down_weight, x, keep):
    """one mean was taken for all channels"""
    gone = _dropped(down_weight, keep)
    return down_weight[:, gone].float().sum(dim=1) * _tokens(x)[:, gone].mean()


def not_of_indices(down_weight, x, keep):
    """~keep was used"""
    return down_weight[:, ~keep].float() @ _tokens(x)[:, ~keep].mean(dim=0)


def the_last_ones(down_weight, x, keep):
    """the last channels were taken for the dropped ones"""
    return down_weight[:, len(keep) :].float() @ _tokens(x)[:, len(keep) :].mean(dim=0)


def nothing(down_weight, x, keep):
    """nothing was added"""
    return torch.zeros(len(down_weight), device=x.device)


def token_by_token(down_weight, x, keep):
    """no mean was taken"""
    gone = _dropped(down_weight, keep)
    return x[..., gone].float() @ down_weight[:, gone].float().T


def first_axis_only(down_weight, x, keep):
    """the mean ran over one axis"""
    gone = _dropped(down_weight, keep)
    return x[..., gone].float().mean(dim=0) @ down_weight[:, gone].float().T


def keeps_axes(down_weight, x, keep):
    """Axes of size 1 remain"""
    return right_indexing(down_weight, x, keep)[None]


def half_all_the_way(down_weight, x, keep):
    """half-precision numbers were added up"""
    gone = _dropped(down_weight, keep)
    tokens = x.reshape(-1, x.shape[-1])
    return (down_weight[:, gone] @ (tokens[:, gone].sum(dim=0) / len(tokens))).float()


def rounded_mean(down_weight, x, keep):
    """computed in half precision and rounded"""
    return right_indexing(down_weight, x.reshape(-1, x.shape[-1]).mean(dim=0), keep)


def type_of_x(down_weight, x, keep):
    """your bias is torch.float16"""
    return right_indexing(down_weight, x, keep).to(x.dtype)


def in_float64(down_weight, x, keep):
    """your bias is torch.float64"""
    return right_indexing(down_weight, x, keep).double()


def halves_meet_floats(down_weight, x, keep):
    """your function raised RuntimeError"""
    gone = _dropped(down_weight, keep)
    return down_weight[:, gone] @ _tokens(x)[:, gone].mean(dim=0)


def in_place(down_weight, x, keep):
    """changed down_weight in place"""
    down_weight[:, keep] = 0
    return down_weight.float() @ _tokens(x).mean(dim=0)


def forgets_return(down_weight, x, keep):
    """is a return missing?"""
    right_indexing(down_weight, x, keep)


def zeros_left_out(down_weight, x, keep):
    """zeros were left out of the mean"""
    gone, x = _dropped(down_weight, keep), _tokens(x)
    mean = x.sum(dim=0) / (x != 0).sum(dim=0).clamp(min=1)
    return down_weight[:, gone].float() @ mean[gone]


def two_axes_of_tokens(down_weight, x, keep):
    """x was taken to have a fixed number of axes"""
    dropped = _dropped(down_weight, keep)
    return down_weight[:, dropped].float() @ x.float().mean(dim=(0, 1))[dropped]


def not_written(down_weight, x, keep):
    """not written yet"""
    raise NotImplementedError()
