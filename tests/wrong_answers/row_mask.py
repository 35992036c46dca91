"""Answers to row_mask. A wrong one's docstring is the phrase that must name its mistake."""

import numpy as np
import torch

from labsupport.selection import kth_smallest


def _checked(sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity must be from 0 to 1")


def _drop(score, k, largest=False):
    mask = torch.ones_like(score, dtype=torch.bool)
    return mask.scatter_(1, score.topk(k, dim=1, largest=largest).indices, False)


def right_kthvalue(score, sparsity):
    _checked(sparsity)
    k = round(sparsity * score.shape[1])
    if k == 0:
        return torch.ones_like(score, dtype=torch.bool)
    return score > score.kthvalue(k, dim=1, keepdim=True).values


def right_topk(score, sparsity):
    _checked(sparsity)
    return _drop(score, round(sparsity * score.shape[1]))


def right_sort_and_scatter(score, sparsity):
    _checked(sparsity)
    k = round(sparsity * score.shape[1])
    order = score.sort(dim=1, stable=True).indices[:, :k]
    mask = torch.zeros_like(score).bool()
    return ~mask.scatter_(1, order, True)


def right_numpy(score, sparsity):
    _checked(sparsity)
    k = round(sparsity * score.shape[1])
    if k == 0:
        return torch.ones_like(score, dtype=torch.bool)
    cut = np.partition(score.numpy(), k - 1, axis=1)[:, k - 1 : k]
    return torch.from_numpy(score.numpy() > cut)


def right_row_by_row(score, sparsity):
    _checked(sparsity)
    k = round(sparsity * score.shape[1])
    rows = []
    for row in score.tolist():
        gone = sorted(range(len(row)), key=lambda i, row=row: row[i])[:k]
        rows.append([i not in gone for i in range(len(row))])
    return torch.tensor(rows)


def right_ranks(score, sparsity):
    _checked(sparsity)
    return score.argsort(dim=1).argsort(dim=1) >= round(sparsity * score.shape[1])


def whole_matrix(score, sparsity):
    """the scores were ranked over the whole matrix at once"""
    return right_kthvalue(score.reshape(1, -1), sparsity).view(score.shape)


def per_column(score, sparsity):
    """the scores were ranked inside each column"""
    return right_topk(score.T, sparsity).T


def inverted(score, sparsity):
    """the mask is inverted"""
    return ~right_kthvalue(score, sparsity)


def largest(score, sparsity):
    """the highest scores were dropped"""
    _checked(sparsity)
    return _drop(score, round(sparsity * score.shape[1]), largest=True)


def truncated(score, sparsity):
    """int() cut"""
    _checked(sparsity)
    return _drop(score, int(sparsity * score.shape[1]))


def stays_at_threshold(score, sparsity):
    """the score at the threshold stayed"""
    _checked(sparsity)
    k = round(sparsity * score.shape[1])
    if k == 0:
        return torch.ones_like(score, dtype=torch.bool)
    return score >= score.kthvalue(k, dim=1, keepdim=True).values


def one_too_many(score, sparsity):
    """one too many goes in each row"""
    _checked(sparsity)
    if sparsity == 1:
        return torch.zeros_like(score, dtype=torch.bool)
    ordered = score.sort(dim=1).values
    return score > ordered[:, int(score.shape[1] * sparsity)][:, None]


def threshold_of_first_row(score, sparsity):
    """weights kept, as sparsity = 0.375 asks"""
    _checked(sparsity)
    k = round(sparsity * score.shape[1])
    if k == 0:
        return torch.ones_like(score, dtype=torch.bool)
    return score > score[score.sum(dim=1).argmax()].kthvalue(k).values


def a_float_mask(score, sparsity):
    """it is torch.float32"""
    return right_kthvalue(score, sparsity).float()


def an_int_mask(score, sparsity):
    """it is torch.int64"""
    return right_kthvalue(score, sparsity).long()


def flat(score, sparsity):
    """yours is (24,)"""
    return right_kthvalue(score, sparsity).flatten()


def no_range_check(score, sparsity):
    """a negative sparsity raises ValueError"""
    return right_kthvalue(score, min(max(sparsity, 0), 1))


def fails_at_zero(score, sparsity):
    """a sparsity so small that nothing goes"""
    _checked(sparsity)
    return score > score.kthvalue(round(sparsity * score.shape[1]), dim=1, keepdim=True).values


def zeroes_the_score(score, sparsity):
    """changed score in place"""
    mask = right_kthvalue(score, sparsity)
    score.mul_(mask)
    return mask


def sorts_the_score(score, sparsity):
    """changed score in place"""
    mask = right_kthvalue(score, sparsity)
    score.copy_(score.sort(dim=1).values)
    return mask


def forgets_return(score, sparsity):
    """is a return missing?"""
    right_kthvalue(score, sparsity)


def no_keepdim(score, sparsity):
    """They must be [out, 1]: keepdim=True"""
    _checked(sparsity)
    return score > score.kthvalue(round(sparsity * score.shape[1]), dim=1).values


def sorts_columns(score, sparsity):
    """dim=0 was taken: that ranks inside each column"""
    _checked(sparsity)
    return score > score.kthvalue(round(sparsity * score.shape[1]) + 2, dim=0).values


def topk_of_columns(score, sparsity):
    """dim=0 was taken: that ranks inside each column"""
    _checked(sparsity)
    return score > score.topk(round(sparsity * score.shape[1]) + 2, dim=0, largest=False).values[-1]


def searches_for_the_0_th(score, sparsity):
    """k = 0 reached the search for the threshold"""
    _checked(sparsity)
    return score > kth_smallest(score, round(sparsity * score.shape[1]))


def argsort_as_ranks(score, sparsity):
    """argsort was taken for ranks"""
    _checked(sparsity)
    return score.argsort(dim=1) >= round(sparsity * score.shape[1])


def columns_of_all_rows(score, sparsity):
    """that drops these columns in all rows"""
    _checked(sparsity)
    mask = torch.ones_like(score, dtype=torch.bool)
    mask[:, score.argsort(dim=1)[:, : round(sparsity * score.shape[1])]] = False
    return mask


def places_as_rows(score, sparsity):
    """places of entries in their rows were used as numbers of rows"""
    _checked(sparsity)
    mask = torch.ones_like(score, dtype=torch.bool)
    mask[score.argsort(dim=1)[:, : round(sparsity * score.shape[1])]] = False
    return mask


def k_of_the_whole_matrix(score, sparsity):
    """Is k larger than a row?"""
    _checked(sparsity)
    return score > kth_smallest(score, round(sparsity * score.numel()))


def kthvalue_of_the_whole_matrix(score, sparsity):
    """Is k larger than a row?"""
    _checked(sparsity)
    return score > score.kthvalue(round(sparsity * score.numel()), dim=1, keepdim=True).values


def k_of_the_rows(score, sparsity):
    """k came from the 3 rows"""
    _checked(sparsity)
    return _drop(score, round(sparsity * score.shape[0]))


def what_stays_is_rounded(score, sparsity):
    """the number that stays was rounded"""
    _checked(sparsity)
    width = score.shape[1]
    return _drop(score, width - round((1 - sparsity) * width))


def share_that_stays(score, sparsity):
    """sparsity was taken for the share that stays"""
    _checked(sparsity)
    return _drop(score, round((1 - sparsity) * score.shape[1]))


def quantile(score, sparsity):
    """goes although k is 0"""
    _checked(sparsity)
    return score > score.float().quantile(sparsity, dim=1, keepdim=True)


def keeps_one_always(score, sparsity):
    """One weight of each row stays at sparsity 1"""
    _checked(sparsity)
    return _drop(score, min(round(sparsity * score.shape[1]), score.shape[1] - 1))


def zeros_always_go(score, sparsity):
    """a score of 0 drops its weight at any sparsity"""
    return right_topk(score, sparsity) & (score > 0)


def _rows_dropped(score, sparsity, rows):
    _checked(sparsity)
    mask = torch.ones_like(score, dtype=torch.bool)
    for i in range(rows):
        mask[i, score[i].argsort()[: round(sparsity * score.shape[1])]] = False
    return mask


def slice_from_minus_0(score, sparsity):
    """all go although k is 0"""
    _checked(sparsity)
    drop = score.argsort(dim=1, descending=True)[:, -round(sparsity * score.shape[1]) :]
    return torch.ones_like(score, dtype=torch.bool).scatter_(1, drop, False)


def keeps_a_slice_from_minus_0(score, sparsity):
    """all stay although all 8 go"""
    _checked(sparsity)
    kept = score.shape[1] - round(sparsity * score.shape[1])
    return torch.zeros_like(score, dtype=torch.bool).scatter_(1, score.argsort(dim=1)[:, -kept:], True)


def last_row_forgotten(score, sparsity):
    """1 of 3 rows was left out"""
    return _rows_dropped(score, sparsity, len(score) - 1)


def return_in_the_loop(score, sparsity):
    """2 of 3 rows were left out"""
    return _rows_dropped(score, sparsity, 1)


def pair_of_topk(score, sparsity):
    """a pair was taken for a tensor"""
    _checked(sparsity)
    mask = torch.ones_like(score, dtype=torch.bool)
    return mask.scatter_(1, score.topk(round(sparsity * score.shape[1]), dim=1, largest=False), False)


def values_as_places(score, sparsity):
    """floats were used as places"""
    _checked(sparsity)
    mask = torch.ones_like(score, dtype=torch.bool)
    mask[score.topk(round(sparsity * score.shape[1]), dim=1, largest=False).values] = False
    return mask


def right_with_one_below_all(score, sparsity):
    _checked(sparsity)
    below = torch.full_like(score[:, :1], -torch.inf)
    k = round(sparsity * score.shape[1])
    return score > torch.cat([below, score.sort(dim=1).values], dim=1)[:, k : k + 1]


def not_written(score, sparsity):
    """not written yet"""
    raise NotImplementedError()
