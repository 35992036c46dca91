"""Answers to global_magnitude_masks. A wrong one's docstring is the phrase that must name its mistake."""

import math

import torch


def _checked(sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity must be from 0 to 1")


def _lowest(scores, k):
    mask = torch.ones(scores.numel(), dtype=torch.bool)
    mask[scores.flatten().topk(k, largest=False).indices] = False
    return mask.view(scores.shape)


def right_threshold(weights, sparsity):
    _checked(sparsity)
    every = torch.cat([weight.abs().flatten() for weight in weights.values()])
    k = round(sparsity * len(every))
    threshold = every.sort().values[k - 1] if k else -1
    return {name: weight.abs() > threshold for name, weight in weights.items()}


def right_split(weights, sparsity):
    _checked(sparsity)
    every = torch.cat([weight.abs().flatten() for weight in weights.values()])
    parts = _lowest(every, round(sparsity * len(every))).split([w.numel() for w in weights.values()])
    return {name: part.view(weights[name].shape) for name, part in zip(weights, parts, strict=True)}


def own_thresholds(weights, sparsity):
    """each layer got a threshold of its own"""
    _checked(sparsity)
    return {name: _lowest(w.abs(), round(sparsity * w.numel())) for name, w in weights.items()}


def rounded_up(weights, sparsity):
    """It looks as if ceil() lifted"""
    n = sum(weight.numel() for weight in weights.values())
    return right_split(weights, math.ceil(sparsity * n) / n if 0 <= sparsity <= 1 else sparsity)


def normalised(weights, sparsity):
    """divided by their layer's mean"""
    return right_split({name: w / w.abs().mean() for name, w in weights.items()}, sparsity)


def inverted(weights, sparsity):
    """the mask is inverted"""
    return {name: ~mask for name, mask in right_split(weights, sparsity).items()}


def signed(weights, sparsity):
    """signed weights were ranked"""
    return right_split({name: w + 1000 for name, w in weights.items()}, sparsity)


def truncated(weights, sparsity):
    """int() cut the product"""
    _checked(sparsity)
    every = torch.cat([weight.abs().flatten() for weight in weights.values()])
    parts = _lowest(every, int(sparsity * len(every))).split([w.numel() for w in weights.values()])
    return {name: part.view(weights[name].shape) for name, part in zip(weights, parts, strict=True)}


def stays_at_threshold(weights, sparsity):
    """the weight at the threshold stayed"""
    _checked(sparsity)
    every = torch.cat([weight.abs().flatten() for weight in weights.values()])
    k = round(sparsity * len(every))
    threshold = every.sort().values[k - 1] if k else -1
    return {name: weight.abs() >= threshold for name, weight in weights.items()}


def one_list(weights, sparsity):
    """it is a list"""
    return list(right_split(weights, sparsity).values())


def flattened(weights, sparsity):
    """every mask is torch.bool and has the shape of its weight"""
    return {name: mask.flatten() for name, mask in right_split(weights, sparsity).items()}


def unchecked(weights, sparsity):
    """a negative sparsity raises ValueError"""
    return right_split(weights, min(max(sparsity, 0), 1))


def joins_matrices(weights, sparsity):
    """matrices were joined: they have different shapes"""
    _checked(sparsity)
    return _lowest(torch.cat([weight.abs() for weight in weights.values()]), 3)


def joins_the_dict(weights, sparsity):
    """the dict itself, or its names, went to torch.cat"""
    _checked(sparsity)
    return _lowest(torch.cat(weights), 3)


def joins_the_names(weights, sparsity):
    """the dict itself, or its names, went to torch.cat"""
    _checked(sparsity)
    return _lowest(torch.cat(list(weights)), 3)


def a_dict_for_a_tensor(weights, sparsity):
    """a whole dict was passed where the tensor of one layer is wanted"""
    _checked(sparsity)
    return _lowest(weights.abs(), 3)


def short_names(weights, sparsity):
    """your keys q_proj, o_proj, up_proj wanted keys layers.0.q_proj, layers.0.o_proj, layers.0.up_proj"""
    return {name.split(".")[-1]: mask for name, mask in right_split(weights, sparsity).items()}


def rounded_by_layer(weights, sparsity):
    """rounded layer by layer"""
    _checked(sparsity)
    every = torch.cat([weight.abs().flatten() for weight in weights.values()])
    mask = _lowest(every, sum(round(sparsity * w.numel()) for w in weights.values()))
    parts = mask.split([w.numel() for w in weights.values()])
    return {name: part.view(weights[name].shape) for name, part in zip(weights, parts, strict=True)}


def not_written(weights, sparsity):
    """not written yet"""
    raise NotImplementedError
