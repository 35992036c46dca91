"""Answers to block_influence. A wrong one's docstring is the phrase that must name its mistake."""

from itertools import pairwise

import torch
from torch.nn import functional

from labsupport.given import depth as ours


def _each(hidden, value):
    return torch.stack([value(before.float(), after.float()) for before, after in pairwise(hidden)])


def right_ours(hidden):
    return ours.block_influence(hidden)


def right_cosine_similarity(hidden):
    return _each(hidden, lambda a, b: 1 - functional.cosine_similarity(a, b, dim=-1).mean())


def right_by_hand(hidden):
    found = []
    for index in range(len(hidden) - 1):
        before, after = hidden[index].float().flatten(0, 1), hidden[index + 1].float().flatten(0, 1)
        dots = torch.einsum("th,th->t", before, after)
        found.append(1 - (dots / before.norm(dim=1) / after.norm(dim=1)).mean())
    return torch.tensor(found)


def right_all_at_once(hidden):
    """One product of unit vectors, [layers, tokens, hidden]."""
    stream = torch.stack(hidden).float().flatten(1, 2)
    unit = functional.normalize(stream, dim=-1)
    return 1 - (unit[:-1] * unit[1:]).sum(dim=-1).mean(dim=1)


def right_by_distance(hidden):
    """Half of the squared distance of two unit vectors is 1 minus their cosine; in float64."""

    def value(before, after):
        gap = functional.normalize(before.double(), dim=-1) - functional.normalize(after.double(), dim=-1)
        return gap.square().sum(dim=-1).mean() / 2

    return _each(hidden, value)


def cosine(hidden):
    """the cosine itself was returned"""
    return 1 - right_cosine_similarity(hidden)


def default_axis(hidden):
    """the cosine was taken along another axis"""
    return _each(hidden, lambda a, b: 1 - functional.cosine_similarity(a, b).mean())


def whole_windows(hidden):
    """a whole window was taken as one long vector"""
    return _each(hidden, lambda a, b: 1 - functional.cosine_similarity(a.flatten(1), b.flatten(1)).mean())


def whole_batch(hidden):
    """a whole window was taken as one long vector"""
    return _each(hidden, lambda a, b: 1 - functional.cosine_similarity(a.flatten(), b.flatten(), dim=0))


def mean_first(hidden):
    """tokens were averaged before the cosine"""
    return _each(
        hidden,
        lambda a, b: 1 - functional.cosine_similarity(a.mean(dim=(0, 1)), b.mean(dim=(0, 1)), dim=0),
    )


def summed(hidden):
    """the tokens were summed, not averaged"""
    return _each(hidden, lambda a, b: (1 - functional.cosine_similarity(a, b, dim=-1)).sum())


def not_divided(hidden):
    """was not divided by their lengths"""
    return _each(hidden, lambda a, b: 1 - (a * b).sum(dim=-1).mean())


def no_sign(hidden):
    """the sign of the cosine was lost"""
    return _each(hidden, lambda a, b: 1 - functional.cosine_similarity(a, b, dim=-1).abs().mean())


def from_the_first(hidden):
    """every block was compared with the first tensor"""
    return torch.stack(
        [
            1 - functional.cosine_similarity(hidden[0].float(), after.float(), dim=-1).mean()
            for after in hidden[1:]
        ]
    )


def what_is_added(hidden):
    """compared with what the block adds"""
    return _each(hidden, lambda a, b: 1 - functional.cosine_similarity(a, b - a, dim=-1).mean())


def distance(hidden):
    """this is the distance of the two vectors"""
    return _each(hidden, lambda a, b: (b - a).norm(dim=-1).mean())


def last_token(hidden):
    """the last token of each window alone was counted"""
    return _each(hidden, lambda a, b: 1 - functional.cosine_similarity(a, b, dim=-1)[:, -1].mean())


def reversed_blocks(hidden):
    """in reverse order"""
    return right_cosine_similarity(hidden).flip(0)


def one_too_many(hidden):
    """every tensor has a number"""
    return right_cosine_similarity([*hidden, hidden[-1]])


def one_number(hidden):
    """the blocks were averaged, too"""
    return right_cosine_similarity(hidden).mean()


def half_all_the_way(hidden):
    """computed in half precision"""

    def value(before, after):
        return 1 - (before * after).sum(dim=-1).div(before.norm(dim=-1) * after.norm(dim=-1)).mean()

    return torch.stack([value(before, after) for before, after in pairwise(hidden)]).float()


def a_list(hidden):
    """of type list"""
    return right_cosine_similarity(hidden).tolist()


def float_after_the_cosine(hidden):
    """computed in half precision"""
    return torch.stack(
        [1 - functional.cosine_similarity(*pair, dim=-1).float().mean() for pair in pairwise(hidden)]
    )


def as_many_as_tensors(hidden):
    """every tensor was taken for a block"""
    return torch.stack([1 - (hidden[i] * hidden[i + 1]).mean() for i in range(len(hidden))])


def not_written(hidden):
    """not written yet"""
    raise NotImplementedError()
