"""Answers to quantise. A wrong one's docstring is the phrase that must name its mistake."""

from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional


class _Quantised(NamedTuple):
    codes: torch.Tensor
    scale: torch.Tensor
    zero: torch.Tensor


def _checked(bits):
    if not 1 <= bits <= 8:
        raise ValueError(f"bits is {bits}")


def _ends(weight, group):
    parts = weight.split(group, dim=1)
    low, high = ([end(part, dim=1) for part in parts] for end in (torch.amin, torch.amax))
    return torch.stack(low, dim=1), torch.stack(high, dim=1)


def _codes(weight, scale, zero, group, rounded=torch.round):
    width = weight.shape[1]
    scale, zero = (each.repeat_interleave(group, dim=1)[:, :width] for each in (scale, zero))
    return rounded((weight - zero) / torch.where(scale > 0, scale, 1))


def _asymmetric(weight, bits, group, steps=None, rounded=torch.round):
    _checked(bits)
    weight = weight.float()
    low, high = _ends(weight, group)
    scale = (high - low) / (steps or 2**bits - 1)
    return _codes(weight, scale, low, group, rounded).clamp(0, 2**bits - 1).to(torch.uint8), scale, low


def right_split(weight, bits, group):
    return _asymmetric(weight, bits, group)


def left_in_groups(weight, bits, group):
    """the codes still have the shape of the groups"""
    groups = weight.float().view(-1, group)
    low, high = groups.aminmax(dim=1, keepdim=True)
    scale = (high - low) / (2**bits - 1)
    return ((groups - low) / scale).round().to(torch.uint8), scale, low


def right_padded(weight, bits, group):
    """The short group is filled up with its own last weight."""
    _checked(bits)
    rows, width = weight.shape
    short = -width % group
    weight = torch.cat([weight.float(), weight[:, -1:].expand(-1, short).float()], dim=1)
    groups = weight.view(rows, -1, group)
    zero, top = groups.aminmax(dim=2)
    scale = (top - zero) / (2**bits - 1)
    steps = scale.masked_fill(scale == 0, 1.0)
    codes = ((groups - zero[:, :, None]) / steps[:, :, None]).round().to(torch.uint8)
    return codes.view(rows, -1)[:, :width], scale, zero


def right_group_by_group(weight, bits, group):
    """A group of equal weights gets a scale of 1."""
    if bits not in range(1, 9):
        raise ValueError("bits")
    codes, scales, zeros = [], [], []
    for part in weight.numpy().astype(np.float32).T.reshape(weight.shape[1], -1).T[:, None]:
        row = part[0]
        for start in range(0, len(row), group):
            some = row[start : start + group]
            step = (some.max() - some.min()) / (2**bits - 1) or 1.0
            codes.append(np.rint((some - some.min()) / step).astype(np.uint8))
            scales.append(step)
            zeros.append(some.min())
    shape = (len(weight), -1)
    scale, zero = (torch.tensor(np.array(each, dtype=np.float32)).view(shape) for each in (scales, zeros))
    return torch.from_numpy(np.concatenate(codes)).view(shape), scale, zero


def right_as_a_named_tuple(weight, bits, group):
    return _Quantised(*_asymmetric(weight, bits, group))


def right_as_a_list(weight, bits, group):
    """Rounded by adding a half and cutting."""
    return list(_asymmetric(weight, bits, group, rounded=lambda place: (place + 0.5).floor()))


def cut_down(weight, bits, group):
    """the codes were cut to whole numbers in one direction"""
    return _asymmetric(weight, bits, group, rounded=torch.floor)


def one_step_too_many(weight, bits, group):
    """4 steps were made. 4 values have 3 steps between them"""
    return _asymmetric(weight, bits, group, steps=2**bits)


def around_zero(weight, bits, group):
    """the grid lies around 0, alike on both sides"""
    _checked(bits)
    low, high = _ends(weight.float(), group)
    scale = torch.maximum(-low, high) / max(2 ** (bits - 1) - 1, 1)
    codes = _codes(weight.float(), scale, torch.zeros_like(scale), group).abs()
    return codes.clamp(0, 2**bits - 1).to(torch.uint8), scale, torch.zeros_like(scale)


def grid_to_zero(weight, bits, group):
    """the grid was stretched down to 0"""
    _checked(bits)
    low, high = _ends(weight.float(), group)
    low, high = low.clamp_max(0), high.clamp_min(0)
    scale = (high - low) / (2**bits - 1)
    return _codes(weight.float(), scale, low, group).to(torch.uint8), scale, low


def around_zero_from_its_low_end(weight, bits, group):
    """the grid lies around 0, alike on both sides"""
    _checked(bits)
    low, high = _ends(weight.float(), group)
    reach = torch.maximum(-low, high)
    scale = 2 * reach / (2**bits - 1)
    return _codes(weight.float(), scale, -reach, group).to(torch.uint8), scale, -reach


def filled_up_with_zeros(weight, bits, group):
    """the last, shorter group was filled up with zeros"""
    _checked(bits)
    width = weight.shape[1]
    wide = torch.nn.functional.pad(weight.float(), (0, -width % group))
    codes, scale, zero = _asymmetric(wide, bits, group)
    return codes[:, :width], scale, zero


def grid_of_all_rows(weight, bits, group):
    """all rows share the grid of a group"""
    _checked(bits)
    low, high = _ends(weight.float(), group)
    low = low.amin(dim=0).expand_as(low).clone()
    scale = (high.amax(dim=0) - low) / (2**bits - 1)
    return _codes(weight.float(), scale, low, group).to(torch.uint8), scale, low


def grid_of_the_matrix_for_each_group(weight, bits, group):
    """one grid serves the whole matrix"""
    _checked(bits)
    low, high = (torch.full_like(end, float(value)) for end, value in
                 zip(_ends(weight.float(), group), weight.aminmax(), strict=True))  # fmt: skip
    scale = (high - low) / (2**bits - 1)
    return _codes(weight.float(), scale, low, group).to(torch.uint8), scale, low


def equal_parts(weight, bits, group):
    """FAILED the last group of a row is shorter"""
    _checked(bits)
    return _asymmetric(weight, bits, -(-weight.shape[1] // -(-weight.shape[1] // group)))


def zero_point(weight, bits, group):
    """zero is the code that stands for 0. Here it is the other way round"""
    codes, scale, zero = _asymmetric(weight, bits, group)
    return codes, scale, (-zero / scale).round()


def swapped(weight, bits, group):
    """scale and zero changed places"""
    codes, scale, zero = _asymmetric(weight, bits, group)
    return codes, zero, scale


def grid_of_a_row(weight, bits, group):
    """one grid serves a whole row"""
    return _asymmetric(weight, bits, weight.shape[1])


def grid_of_the_matrix(weight, bits, group):
    """one grid serves the whole matrix"""
    codes, scale, zero = _asymmetric(weight.view(1, -1), bits, weight.numel())
    return codes.view(weight.shape), scale, zero


def across_rows(weight, bits, group):
    """the rows were joined before they were cut"""
    codes, scale, zero = _asymmetric(weight.reshape(-1, group), bits, group)
    rows = 1 if weight.shape[1] % group else len(weight)
    return codes.view(weight.shape), scale.view(rows, -1), zero.view(rows, -1)


def flat_groups(weight, bits, group):
    """scale is (4, 1)"""
    codes, scale, zero = _asymmetric(weight.reshape(-1, group), bits, group)
    return codes.view(weight.shape), scale, zero


def whole_groups_alone(weight, bits, group):
    """The last group of a row may be shorter"""
    _checked(bits)
    groups = weight.float().view(len(weight), -1, group)
    low, high = groups.amin(dim=2), groups.amax(dim=2)
    scale = (high - low) / (2**bits - 1)
    return _codes(weight.float(), scale, low, group).to(torch.uint8), scale, low


def not_cut_at_the_end(weight, bits, group):
    """scale and zero were spread over whole groups"""
    _checked(bits)
    zero, high = _ends(weight, group)
    scale = (high - zero) / (2**bits - 1)
    start, step = (each.repeat_interleave(group, dim=1) for each in (zero, scale))
    return ((weight.float() - start) / torch.where(step > 0, step, 1)).round().to(torch.uint8), scale, zero


def tail_left_out(weight, bits, group):
    """the last, shorter group was left out"""
    _checked(bits)
    whole = weight.shape[1] // group * group
    codes, scale, zero = _asymmetric(weight[:, :whole], bits, group)
    return functional.pad(codes, (0, weight.shape[1] - whole)), scale, zero


def down_the_columns(weight, bits, group):
    """the groups run down the columns"""
    codes, scale, zero = _asymmetric(weight.T, bits, group)
    return codes.T, scale.T, zero.T


def half_all_the_way(weight, bits, group):
    """half precision computed the grid"""
    _checked(bits)
    low, high = _ends(weight, group)
    scale = (high - low) / (2**bits - 1)
    return _codes(weight, scale, low, group).to(torch.uint8), scale.float(), low.float()


def signed_codes(weight, bits, group):
    """codes are torch.int8"""
    codes, scale, zero = _asymmetric(weight, bits, group)
    return codes.to(torch.int8), scale, zero


def float_codes(weight, bits, group):
    """codes are torch.float32"""
    codes, scale, zero = _asymmetric(weight, bits, group)
    return codes.float(), scale, zero


def rounded_weights(weight, bits, group):
    """your function returned a Tensor"""
    codes, scale, zero = _asymmetric(weight, bits, group)
    scale, zero = (each.repeat_interleave(group, dim=1)[:, : weight.shape[1]] for each in (scale, zero))
    return zero + scale * codes


def two_of_three(weight, bits, group):
    """yours has 2"""
    return _asymmetric(weight, bits, group)[:2]


def any_number_of_bits(weight, bits, group):
    """9 bits raise ValueError"""
    return _asymmetric(weight, min(max(bits, 1), 8), group)


def in_place(weight, bits, group):
    """changed weight in place"""
    found = _asymmetric(weight, bits, group)
    weight.sub_(weight.min())
    return found


def forgets_return(weight, bits, group):
    """is a return missing?"""
    _asymmetric(weight, bits, group)


def not_written(weight, bits, group):
    """not written yet"""
    raise NotImplementedError()
