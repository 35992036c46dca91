"""Answers to hessian. A wrong one's docstring is the phrase that must name its mistake."""

import torch


def _rows(x):
    return x.float().reshape(-1, x.shape[-1])


def right_product(x):
    return _rows(x).T @ _rows(x)


def right_einsum(x):
    return torch.einsum("...i,...j->ij", x.float(), x.float())


def right_in_float64(x):
    x = x.double().reshape(-1, x.shape[-1])
    return (x.T @ x).float()


def right_token_by_token(x):
    total = torch.zeros(x.shape[-1], x.shape[-1], device=x.device)
    for token in _rows(x):
        total += torch.outer(token, token)
    return total


def right_window_by_window(x):
    windows = x.float() if x.dim() == 3 else _rows(x)[None]
    return (windows.transpose(1, 2) @ windows).sum(dim=0)


def tokens_by_tokens(x):
    """a number for each pair of tokens"""
    return _rows(x) @ _rows(x).T


def diagonal_alone(x):
    """the diagonal alone, the sums of squares of lab 03"""
    return _rows(x).square().sum(dim=0)


def one_for_each_window(x):
    """each window has a matrix of its own"""
    x = x.float() if x.dim() > 1 else x.float()[None]
    return x.transpose(-1, -2) @ x


def everything(x):
    """no input may be summed away"""
    return (_rows(x).T @ _rows(x)).sum()


def mean(x):
    """the mean over the tokens was taken"""
    return _rows(x).T @ _rows(x) / len(_rows(x))


def with_the_two(x):
    """the 2 of the paper's formula was kept"""
    return 2 * _rows(x).T @ _rows(x)


def published_factor(x):
    """the factor 2 / n of the published code was kept"""
    return 2 / len(_rows(x)) * _rows(x).T @ _rows(x)


def torch_covariance(x):
    """a covariance was computed"""
    return torch.cov(_rows(x).T)


def damped(x):
    """the damping was added already"""
    found = _rows(x).T @ _rows(x)
    return found + 0.01 * found.diagonal().mean() * torch.eye(len(found))


def root_of_each(x):
    """on its diagonal stand the sums"""
    return (_rows(x).T @ _rows(x)).sqrt()


def covariance(x):
    """the mean was taken away first"""
    x = _rows(x) - _rows(x).mean(dim=0)
    return x.T @ x


def correlation(x):
    """each input was divided by its norm"""
    x = _rows(x) / _rows(x).norm(dim=0)
    return x.T @ x


def zero_beside_the_diagonal(x):
    """all but the diagonal was set to zero"""
    return _rows(x).square().sum(dim=0).diag()


def product_of_norms(x):
    """norms were multiplied, not inputs"""
    norm = _rows(x).norm(dim=0)
    return torch.outer(norm, norm)


def upper_half(x):
    """only half of the pairs were filled in"""
    return (_rows(x).T @ _rows(x)).triu()


def half_all_the_way(x):
    """half-precision numbers were multiplied"""
    x = x.reshape(-1, x.shape[-1])
    return (x.T @ x).float()


def type_of_x(x):
    """The matrix took the type of x"""
    return (_rows(x).T @ _rows(x)).to(x.dtype if x.dtype is torch.bfloat16 else torch.float32)


def rounded_products(x):
    """rounded to torch.bfloat16 before they were added"""
    x = x if x.dtype is torch.bfloat16 else x.float()
    x = x.reshape(-1, x.shape[-1])
    return (x[:, :, None] * x[:, None, :]).float().sum(dim=0)


def two_axes_always(x):
    """your function raised"""
    _tokens, _count = x.shape
    return _rows(x).T @ _rows(x)


def in_place(x):
    """changed x in place"""
    found = _rows(x).T @ _rows(x)
    x *= 2
    return found


def forgets_return(x):
    """is a return missing?"""
    right_product(x)


def all_axes(x):
    """all axes of x went into the product"""
    x = x.float()
    return x.transpose(0, -1) @ x if x.dim() > 1 else torch.outer(x, x)


def not_written(x):
    """not written yet"""
    raise NotImplementedError()
