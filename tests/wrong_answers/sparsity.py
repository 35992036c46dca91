"""Answers to sparsity. A wrong one's docstring is the phrase that must name its mistake."""

import torch


def right_counted(mask):
    return (~mask).sum().item() / mask.numel()


def right_mean(mask):
    return 1 - mask.double().mean().item()


def right_list(mask):
    entries = mask.flatten().tolist()
    return entries.count(False) / len(entries)


def right_rows(mask):
    """The mean over the rows, which are all equally long."""
    return (~mask).double().mean(dim=-1).mean().item()


def kept(mask):
    """the share of the kept weights was taken, or True was read as drop"""
    return mask.float().mean().item()


def count_dropped(mask):
    """the dropped weights were counted, and not divided"""
    return (~mask).sum().item()


def count_kept(mask):
    """the kept weights were counted, and not divided"""
    return mask.sum().item()


def percent(mask):
    """the answer is in percent"""
    return 100 * right_counted(mask)


def by_rows(mask):
    """divided by the number of rows"""
    return (~mask).sum().item() / len(mask)


def first_row(mask):
    """only the first row was looked at"""
    row = mask.view(-1, mask.shape[-1])[0]
    return right_counted(row)


def by_kept(mask):
    """the dropped weights were divided by the kept ones"""
    return (~mask).sum().item() / max(mask.sum().item(), 1)


def whole_division(mask):
    """// divided"""
    return (~mask).sum().item() // mask.numel()


def rounded(mask):
    """the answer was rounded"""
    return round(right_counted(mask), 2)


def cut_quotient(mask):
    """or int() cut the quotient"""
    return int((~mask).sum().item() / mask.numel())


def whether_any_is_dropped(mask):
    """one Python number: it is a bool"""
    return bool((~mask).any())


def in_half(mask):
    """120,000 weights"""
    return ((~mask).half().sum() / mask.numel()).item()


def tensor(mask):
    """.item() makes it a Python number"""
    return (~mask).float().mean()


def each_row(mask):
    """one number for the whole mask is asked for"""
    return (~mask).float().mean(dim=-1)


def flips_in_place(mask):
    """changed mask in place"""
    return mask.logical_not_().double().mean().item()


def zeros_of_a_float(mask):
    """the share of the kept weights was taken, or True was read as drop"""
    return torch.count_nonzero(mask).item() / mask.numel()


def forgets_return(mask):
    """is a return missing?"""
    right_counted(mask)


def not_written(mask):
    """not written yet"""
    raise NotImplementedError()
