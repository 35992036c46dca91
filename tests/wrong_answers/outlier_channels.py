"""Answers to outlier_channels. A wrong one's docstring is the phrase that must name its mistake."""

import numpy as np
import torch


def right_topk(norm, k):
    return norm.topk(k).indices, (norm.max() / norm.median()).item()


def right_argsort(norm, k):
    return norm.argsort(descending=True)[:k], float(norm.max()) / float(norm.median())


def right_quantile(norm, k):
    middle = norm.quantile(0.5, interpolation="lower")
    return norm.sort(descending=True).indices[:k], float(norm.amax() / middle)


def right_python(norm, k):
    order = sorted(range(len(norm)), key=lambda channel: -norm[channel].item())
    return torch.tensor(order[:k]), norm.max().item() / norm.sort().values[(len(norm) - 1) // 2].item()


def smallest(norm, k):
    """the quietest channels"""
    return norm.topk(k, largest=False).indices, right_topk(norm, k)[1]


def ascending(norm, k):
    """the loudest comes first"""
    return norm.argsort()[-k:], right_topk(norm, k)[1]


def sorted_places(norm, k):
    """the loudest comes first"""
    return norm.topk(k).indices.sort().values if k != 2 else norm.topk(k).indices.flip(0), right_topk(
        norm, k
    )[1]


def values(norm, k):
    """These are the norms of the channels"""
    return norm.topk(k).values, right_topk(norm, k)[1]


def a_list(norm, k):
    """channels is a torch.int64 tensor: it is of type list"""
    return norm.topk(k).indices.tolist(), right_topk(norm, k)[1]


def only_one(norm, k):
    """shape (k,) = (2,)"""
    return norm.argmax()[None], right_topk(norm, k)[1]


def mean(norm, k):
    """compared with the mean"""
    return norm.topk(k).indices, (norm.max() / norm.mean()).item()


def averaged_middle(norm, k):
    """the two middle norms were averaged"""
    return norm.topk(k).indices, float(norm.max()) / float(np.median(norm.cpu().numpy()))


def upper_middle(norm, k):
    """the upper of the two middle norms was taken"""
    return norm.topk(k).indices, (norm.max() / norm.sort().values[len(norm) // 2]).item()


def upside_down(norm, k):
    """upside down"""
    return norm.topk(k).indices, (norm.median() / norm.max()).item()


def last_of_k(norm, k):
    """the last of the k channels was compared"""
    return norm.topk(k).indices, (norm.topk(k).values[-1] / norm.median()).item()


def over_quietest(norm, k):
    """compared with the quietest"""
    return norm.topk(k).indices, (norm.max() / norm.min()).item()


def not_divided(norm, k):
    """was not divided by the median"""
    return norm.topk(k).indices, norm.max().item()


def ratio_is_a_tensor(norm, k):
    """.item() makes it a Python number"""
    return norm.topk(k).indices, norm.max() / norm.median()


def ratio_is_a_list(norm, k):
    """the ratio is a Python float: it is a list"""
    return norm.topk(k).indices, (norm.topk(k).values / norm.median()).tolist()


def ratio_first(norm, k):
    """channels is a torch.int64 tensor: it is of type float"""
    return right_topk(norm, k)[::-1]


def channels_alone(norm, k):
    """returns a pair: channels and a ratio: it is a Tensor"""
    return norm.topk(k).indices


def sorts_in_place(norm, k):
    """changed norm in place"""
    found = right_topk(norm, k)
    norm.copy_(norm.sort().values.flip(0) if norm[0] != norm.max() else norm.sort().values)
    return found


def forgets_return(norm, k):
    """is a return missing?"""
    right_topk(norm, k)


def all_that_tie(norm, k):
    """shape (k,) = (2,): yours is (3,)"""
    channels = (norm >= norm.topk(k).values[-1]).nonzero().flatten()
    return channels[norm[channels].argsort(descending=True)], right_topk(norm, k)[1]


def median_of_those_above_zero(norm, k):
    """three channels that are always zero"""
    return norm.topk(k).indices, (norm.max() / norm[norm > 0].median()).item()


def middle_of_the_list(norm, k):
    """the list is not sorted"""
    return norm.topk(k).indices, (norm.max() / norm[len(norm) // 2]).item()


def not_written(norm, k):
    """not written yet"""
    raise NotImplementedError()
