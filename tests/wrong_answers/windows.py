"""Answers to windows. A wrong one's docstring is the phrase that must name its mistake."""

import torch


def _checked(token_ids, length):
    if len(token_ids) < length:
        raise ValueError("the text is shorter than one window")
    return len(token_ids) // length


def right_view(token_ids, length):
    count = _checked(token_ids, length)
    return token_ids[: count * length].view(count, length)


def right_unfold(token_ids, length):
    _checked(token_ids, length)
    return token_ids.unfold(0, length, length)


def right_stack(token_ids, length):
    count = _checked(token_ids, length)
    return torch.stack([token_ids[i * length : (i + 1) * length] for i in range(count)])


def right_split(token_ids, length):
    _checked(token_ids, length)
    return torch.stack([piece for piece in token_ids.split(length) if len(piece) == length])


def right_lists(token_ids, length):
    _checked(token_ids, length)
    numbers = token_ids.tolist()
    return torch.tensor([numbers[i : i + length] for i in range(0, len(numbers) - length + 1, length)])


def ends_at_minus_0(token_ids, length):
    """a slice ended at -0"""
    if len(token_ids) < length:
        raise ValueError("too short")
    return token_ids[: -(len(token_ids) % length)].view(-1, length)


def begins_with_a_token(token_ids, length):
    """a token was put before each window"""
    n = len(token_ids) // (length - 1)
    if len(token_ids) < length:
        raise ValueError("too short")
    rest = token_ids[: n * (length - 1)].view(n, length - 1)
    return torch.cat([torch.ones_like(rest[:, :1]), rest], dim=1)


def pads_the_tail(token_ids, length):
    """the ragged tail was kept and filled up"""
    _checked(token_ids, length)
    missing = -len(token_ids) % length
    return torch.cat([token_ids, token_ids.new_zeros(missing)]).view(-1, length)


def pads_with_the_last(token_ids, length):
    """the ragged tail was kept and filled up"""
    _checked(token_ids, length)
    missing = -len(token_ids) % length
    return torch.cat([token_ids, token_ids[-1:].repeat(missing)]).view(-1, length)


def overlaps_by_one(token_ids, length):
    """the windows overlap"""
    _checked(token_ids, length)
    return token_ids.unfold(0, length, length - 1)


def slides(token_ids, length):
    """the windows overlap: yours begin 1 apart"""
    _checked(token_ids, length)
    return token_ids.unfold(0, length, 1)


def slides_and_counts(token_ids, length):
    """the windows overlap: yours begin 1 apart"""
    count = _checked(token_ids, length)
    return token_ids.unfold(0, length, 1)[:count]


def drops_the_head(token_ids, length):
    """the head of the text was dropped"""
    count = _checked(token_ids, length)
    return token_ids[-count * length :].view(count, length)


def transposed(token_ids, length):
    """rows and columns are exchanged"""
    count = _checked(token_ids, length)
    return token_ids[: count * length].view(length, count).T


def transposed_shape(token_ids, length):
    """windows of"""
    return right_view(token_ids, length).T


def loses_the_last(token_ids, length):
    """the last whole window went with the tail"""
    count = _checked(token_ids, length)
    if count == 1:
        return token_ids[None, :length]
    return token_ids[: (len(token_ids) - 1) // length * length].view(-1, length)


def always_loses_one(token_ids, length):
    """the last whole window went with the tail"""
    return right_view(token_ids, length)[:-1]


def no_error(token_ids, length):
    """a text below one window raises ValueError"""
    count = len(token_ids) // length
    return token_ids[: count * length].view(count, length)


def asserts(token_ids, length):
    """your function raised AssertionError instead"""
    assert len(token_ids) >= length
    return right_view(token_ids, length)


def a_list(token_ids, length):
    """the answer is of type list"""
    return list(right_view(token_ids, length))


def floats(token_ids, length):
    """it is torch.float32"""
    return right_view(token_ids, length).float()


def half_the_width(token_ids, length):
    """it is torch.int32"""
    return right_view(token_ids, length).int()


def forgets_return(token_ids, length):
    """is a return missing?"""
    right_view(token_ids, length)


def stacks_the_tail(token_ids, length):
    """the ragged tail was stacked with the whole windows"""
    _checked(token_ids, length)
    return torch.stack(token_ids.split(length))


def joins_the_tail(token_ids, length):
    """the ragged tail was stacked with the whole windows"""
    _checked(token_ids, length)
    return torch.cat([piece[None] for piece in token_ids.split(length)])


def views_all_of_it(token_ids, length):
    """the ragged tail is still there"""
    _checked(token_ids, length)
    return token_ids.view(-1, length)


def divides_with_a_slash(token_ids, length):
    """a float is where a whole number belongs"""
    count = len(token_ids) / length
    if count < 1:
        raise ValueError("no window")
    return token_ids[: int(count) * length].view(count, length)


def not_written(token_ids, length):
    """not written yet"""
    raise NotImplementedError()
