"""Answers to n_of_m_mask. A wrong one's docstring is the phrase that must name its mistake."""

import numpy as np
import torch


def _groups(score, m):
    if score.shape[1] % m:
        raise ValueError(f"{m} does not divide {score.shape[1]}")
    return score.reshape(-1, m)


def _keep(groups, n, descending=True):
    order = groups.argsort(dim=1, descending=descending, stable=True)
    return torch.zeros_like(groups, dtype=torch.bool).scatter_(1, order[:, :n], True)


def right_stable_sort(score, n, m):
    return _keep(_groups(score, m), n).view_as(score)


def right_numpy(score, n, m):
    groups = _groups(score, m).numpy()
    mask = np.zeros(groups.shape, dtype=bool)
    np.put_along_axis(mask, np.argsort(-groups, axis=1, kind="stable")[:, :n], True, axis=1)
    return torch.from_numpy(mask).reshape(score.shape)


def right_ranks(score, n, m):
    order = (-_groups(score, m)).sort(dim=1, stable=True).indices
    return (order.argsort(dim=1) < n).view(score.shape)


def right_loop(score, n, m):
    _groups(score, m)
    mask = torch.zeros_like(score, dtype=torch.bool)
    for row in range(score.shape[0]):
        for start in range(0, score.shape[1], m):
            places = sorted(range(start, start + m), key=lambda j, row=row: (-score[row, j].item(), j))
            mask[row, places[:n]] = True
    return mask


def right_one_at_a_time(score, n, m):
    groups = _groups(score, m).clone()
    mask = torch.zeros_like(groups, dtype=torch.bool)
    for _ in range(n):
        best = groups.numpy().argmax(axis=1)  # the first of equals
        mask[range(len(mask)), best] = True
        groups[range(len(mask)), best] = -torch.inf
    return mask.view(score.shape)


def higher_index(score, n, m):
    """the higher index stayed where scores are equal"""
    return _keep(_groups(score, m).flip(1), n).flip(1).reshape(score.shape)


def unstable_from_below(score, n, m):
    """the higher index stayed where scores are equal"""
    dropped = _keep(_groups(score, m), m - n, descending=False)
    return ~dropped.view(score.shape)


def all_that_tie(score, n, m):
    """all that tie with place 2 of their group stayed"""
    groups = _groups(score, m)
    return (groups >= groups.sort(dim=1, descending=True).values[:, n - 1 : n]).view(score.shape)


def down_the_columns(score, n, m):
    """the groups run down the columns"""
    if score.shape[1] % m:
        raise ValueError("m does not divide")
    if score.shape[0] % m:
        return right_stable_sort(score, n, m)
    return _keep(score.T.reshape(-1, m), n).view(score.T.shape).T


def strided(score, n, m):
    """Its 3 inputs are neighbours"""
    _groups(score, m)
    by_stride = score.view(score.shape[0], m, -1).transpose(1, 2)  # [out, in / m, m]
    mask = _keep(by_stride.reshape(-1, m), n).view(by_stride.shape)
    return mask.transpose(1, 2).reshape(score.shape)


def drops_n(score, n, m):
    """2 of every 3 were dropped"""
    return _keep(_groups(score, m), m - n).view_as(score)


def inverted(score, n, m):
    """the mask is inverted"""
    return ~right_stable_sort(score, n, m)


def keeps_the_lowest(score, n, m):
    """the lowest scores were kept"""
    return _keep(_groups(score, m), n, descending=False).view_as(score)


def whole_rows(score, n, m):
    """each row was ranked at once"""
    _groups(score, m)
    return _keep(score, score.shape[1] * n // m)


def whole_matrix(score, n, m):
    """the whole matrix was ranked at once"""
    _groups(score, m)
    return _keep(score.reshape(1, -1), score.numel() * n // m).view_as(score)


def no_range_check(score, n, m):
    """6 inputs in groups of 4 raise ValueError"""
    return _keep(score.reshape(-1, m), n).view_as(score)


def drops_the_tail(score, n, m):
    """6 inputs in groups of 4 raise ValueError"""
    mask = torch.ones_like(score, dtype=torch.bool)
    whole = score.shape[1] // m * m
    mask[:, :whole] = _keep(score[:, :whole].reshape(-1, m), n).view(score.shape[0], whole)
    return mask


def always_two_of_four(score, n, m):
    """of 18 weights kept"""
    if score.shape[1] % m:
        raise ValueError("m does not divide")
    return _keep(score.reshape(-1, 2), 1).view_as(score)


def a_float_mask(score, n, m):
    """it is torch.float32"""
    return right_stable_sort(score, n, m).float()


def grouped_shape(score, n, m):
    """yours is (6, 3)"""
    return _keep(_groups(score, m), n)


def zeroes_the_score(score, n, m):
    """changed score in place"""
    mask = right_stable_sort(score, n, m)
    score.mul_(mask)
    return mask


def forgets_return(score, n, m):
    """is a return missing?"""
    right_stable_sort(score, n, m)


def published_loop(score, n, m):
    """the lower one does"""
    _groups(score, m)
    mask = torch.zeros_like(score, dtype=torch.bool)
    for start in range(0, score.shape[1], m):
        lowest = torch.topk(score[:, start : start + m].float(), m - n, dim=1, largest=False).indices
        mask.scatter_(1, start + lowest, True)
    return ~mask


def drops_all_that_tie(score, n, m):
    """all that tie with the best that goes went"""
    groups = _groups(score, m)
    if n == m:
        return torch.ones_like(score, dtype=torch.bool)
    return (groups > groups.kthvalue(m - n, dim=1, keepdim=True).values).view_as(score)


def argsort_as_ranks(score, n, m):
    """argsort was taken for ranks"""
    return (_groups(score, m).argsort(dim=1, descending=True, stable=True) < n).view_as(score)


def crossed_out_with_zero(score, n, m):
    """exactly 2 of every 4 stay"""
    rest = _groups(score, m).clone()
    mask = torch.zeros_like(rest, dtype=torch.bool)
    for _ in range(n):
        best = rest.argmax(dim=1, keepdim=True)
        mask.scatter_(1, best, True)
        rest.scatter_(1, best, 0)
    return mask.view_as(score)


def zeros_never_stay(score, n, m):
    """no score of 0 stayed"""
    return right_stable_sort(score, n, m) & (score > 0)


def dim_by_position(score, n, m):
    """take dim by its name where stable is given"""
    order = (-_groups(score, m)).argsort(1, stable=True)
    return (order.argsort(dim=1) < n).view_as(score)


def last_group_forgotten(score, n, m):
    """some groups were left out"""
    right = right_stable_sort(score, n, m)
    right[:, -m:] = False
    return right


def right_by_counting(score, n, m):
    if score.shape[1] % m:
        raise ValueError("m does not divide")
    groups = score.unflatten(1, (-1, m))  # [out, groups, m]
    one, other, place = groups[..., :, None], groups[..., None, :], torch.arange(m)
    better = (other > one) | ((other == one) & (place < place[:, None]))
    return (better.sum(dim=-1) < n).flatten(1)


def not_written(score, n, m):
    """not written yet"""
    raise NotImplementedError()
