"""Answers to sum_of_squares. A wrong one's docstring is the phrase that must name its mistake."""

import torch


def _rows(x):
    return x.float().reshape(-1, x.shape[-1])


def right_reshape(x):
    return _rows(x).square().sum(dim=0)


def right_einsum(x):
    return torch.einsum("...i,...i->i", x.float(), x.float())


def right_norm_squared(x):
    return torch.linalg.vector_norm(_rows(x), dim=0) ** 2


def right_in_float64(x):
    return x.double().pow(2).reshape(-1, x.shape[-1]).sum(0).float()


def right_loop(x):
    total = torch.zeros(x.shape[-1], device=x.device)
    for token in _rows(x):
        total += token * token
    return total


def per_token(x):
    """one number for each token"""
    return x.float().square().sum(dim=-1)


def everything(x):
    """One number for all channels"""
    return x.float().square().sum()


def first_axis_only(x):
    """only one axis was summed"""
    return x.float().square().sum(dim=0)


def token_as_batch(x):
    """x is one token here"""
    return x.float().square().sum(dim=tuple(range(max(1, x.dim() - 1))))


def not_summed(x):
    """not added up"""
    return x.float().square()


def keeps_axes(x):
    """Axes of size 1 remain"""
    return _rows(x).square().sum(dim=0, keepdim=True)


def mean(x):
    """the mean was taken"""
    return _rows(x).square().mean(dim=0)


def root(x):
    """the root was taken already"""
    return _rows(x).norm(dim=0)


def root_mean(x):
    """root mean squares were taken"""
    return _rows(x).square().mean(dim=0).sqrt()


def mean_absolute(x):
    """the means of absolute values were taken"""
    return _rows(x).abs().mean(dim=0)


def absolute(x):
    """absolute values were added"""
    return _rows(x).abs().sum(dim=0)


def no_square(x):
    """added without a square"""
    return _rows(x).sum(dim=0)


def squared_sum(x):
    """added first and squared afterwards"""
    return _rows(x).sum(dim=0).square()


def type_of_x(x):
    """The sums took the type of x"""
    return _rows(x).square().sum(dim=0).to(x.dtype if x.dtype is torch.bfloat16 else torch.float32)


def half_all_the_way(x):
    """half-precision numbers were squared"""
    return x.reshape(-1, x.shape[-1]).square().sum(dim=0)


def float_too_late(x):
    """half-precision numbers were squared"""
    return x.reshape(-1, x.shape[-1]).square().float().sum(dim=0)


def rounded_squares(x):
    """the squares were rounded to torch.bfloat16"""
    x = x if x.dtype is torch.bfloat16 else x.float()
    return x.reshape(-1, x.shape[-1]).square().float().sum(dim=0)


def float64_stays(x):
    """your sums are torch.float64"""
    x = x if x.dtype is torch.float64 else x.float()
    return x.reshape(-1, x.shape[-1]).square().sum(dim=0)


def a_list(x):
    """of type list"""
    return _rows(x).square().sum(dim=0).tolist()


def squares_in_place(x):
    """changed x in place"""
    if x.dtype is torch.float32:
        return x.reshape(-1, x.shape[-1]).square_().sum(dim=0)
    return right_reshape(x)


def forgets_return(x):
    """is a return missing?"""
    right_reshape(x)


def two_axes_always(x):
    """x was taken to have a fixed number of axes"""
    _tokens, count = x.shape
    return x.float().square().reshape(-1, count).sum(dim=0)


def three_axes_always(x):
    """x was taken to have a fixed number of axes"""
    _batch, _tokens, count = x.shape
    return x.float().square().reshape(-1, count).sum(dim=0)


def rounds_what_is_float32(x):
    """half precision was used on the way"""
    return _rows(x.bfloat16()).bfloat16().square().float().sum(dim=0)


def not_written(x):
    """not written yet"""
    raise NotImplementedError()
