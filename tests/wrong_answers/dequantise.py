"""Answers to dequantise. A wrong one's docstring is the phrase that must name its mistake."""

import torch


def _spread(values, codes, group):
    return values.float().repeat_interleave(group, dim=1)[:, : codes.shape[1]]


def right_repeat_interleave(codes, scale, zero, group):
    return _spread(zero, codes, group) + _spread(scale, codes, group) * codes


def right_index(codes, scale, zero, group):
    place = torch.arange(codes.shape[1], device=codes.device) // group
    return (codes.double() * scale.double()[:, place] + zero.double()[:, place]).float()


def right_split(codes, scale, zero, group):
    parts = codes.float().split(group, dim=1)
    scale, zero = scale.float(), zero.float()
    return torch.cat([zero[:, [i]] + part * scale[:, [i]] for i, part in enumerate(parts)], dim=1)


def right_loop(codes, scale, zero, group):
    weight = torch.empty(codes.shape)
    for row in range(codes.shape[0]):
        for column in range(codes.shape[1]):
            g = column // group
            weight[row, column] = float(zero[row, g]) + float(scale[row, g]) * int(codes[row, column])
    return weight


def no_zero(codes, scale, zero, group):
    """zero was not added"""
    return _spread(scale, codes, group) * codes


def zero_point(codes, scale, zero, group):
    """zero was taken for a code"""
    return _spread(scale, codes, group) * (codes - _spread(zero, codes, group))


def subtracted(codes, scale, zero, group):
    """zero was subtracted"""
    return _spread(scale, codes, group) * codes - _spread(zero, codes, group)


def scaled_zero(codes, scale, zero, group):
    """scale multiplied zero, too"""
    return _spread(scale, codes, group) * (codes + _spread(zero, codes, group))


def swapped(codes, scale, zero, group):
    """scale and zero changed places"""
    return _spread(scale, codes, group) + _spread(zero, codes, group) * codes


def tiled(codes, scale, zero, group):
    """the scales were repeated one after the other"""
    scale, zero = (each.float().repeat(1, group)[:, : codes.shape[1]] for each in (scale, zero))
    return zero + scale * codes


def equal_parts(codes, scale, zero, group):
    """the row was cut into equal parts"""
    return _spread(zero, codes, -(-codes.shape[1] // scale.shape[1])) + codes * _spread(
        scale, codes, -(-codes.shape[1] // scale.shape[1])
    )


def first_group(codes, scale, zero, group):
    """the first group's grid served the whole row"""
    return zero.float()[:, :1] + scale.float()[:, :1] * codes


def half_all_the_way(codes, scale, zero, group):
    """half precision computed the weights"""
    scale, zero = (each.repeat_interleave(group, dim=1)[:, : codes.shape[1]] for each in (scale, zero))
    return (zero + scale * codes).float()


def half_at_the_end(codes, scale, zero, group):
    """it is torch.float16"""
    scale, zero = (each.repeat_interleave(group, dim=1)[:, : codes.shape[1]] for each in (scale, zero))
    return zero + scale * codes


def whole_groups_alone(codes, scale, zero, group):
    """The last group of a row may be shorter"""
    groups = codes.float().view(len(codes), -1, group)
    return (zero.float()[:, :, None] + scale.float()[:, :, None] * groups).view(codes.shape)


def no_cut(codes, scale, zero, group):
    """the last group is shorter than the others"""
    scale, zero = (each.float().repeat_interleave(group, dim=1) for each in (scale, zero))
    return zero + scale * codes


def not_spread(codes, scale, zero, group):
    """a scale belongs to a group of codes, and has to be repeated"""
    return zero.float() + scale.float() * codes


def rounded_codes(codes, scale, zero, group):
    """it is torch.uint8"""
    return right_repeat_interleave(codes, scale, zero, group).to(torch.uint8)


def forgets_return(codes, scale, zero, group):
    """is a return missing?"""
    right_repeat_interleave(codes, scale, zero, group)


def not_written(codes, scale, zero, group):
    """not written yet"""
    raise NotImplementedError()
