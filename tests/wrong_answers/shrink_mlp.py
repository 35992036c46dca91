"""Answers to shrink_mlp. A wrong one's docstring is the phrase that must name its mistake."""

import torch


def right_indexing(gate, up, down, keep):
    return gate[keep], up[keep], down[:, keep]


def right_mask(gate, up, down, keep):
    stays = torch.zeros(len(gate), dtype=torch.bool, device=gate.device)
    stays[keep] = True
    return gate[stays], up[stays], down.T[stays].T


def right_list(gate, up, down, keep):
    return [gate.index_select(0, keep), up.index_select(0, keep), down.index_select(1, keep)]


def rows_of_down(gate, up, down, keep):
    """rows of down were kept"""
    return gate[keep], up[keep], down[keep]


def columns_of_gate_and_up(gate, up, down, keep):
    """columns of gate and up were kept"""
    return gate[:, keep], up[:, keep], down[:, keep]


def zeros(gate, up, down, keep):
    """the removed ones were set to zero"""
    stays = torch.zeros(len(gate), device=gate.device, dtype=gate.dtype)
    stays[keep] = 1
    return gate * stays[:, None], up * stays[:, None], down * stays


def untouched(gate, up, down, keep):
    """nothing was removed"""
    return gate, up, down


def the_others(gate, up, down, keep):
    """the others were kept"""
    rest = torch.tensor([i for i in range(len(gate)) if i not in keep.tolist()], dtype=torch.long)
    return gate[rest.to(gate.device)], up[rest.to(gate.device)], down[:, rest.to(gate.device)]


def reversed_order(gate, up, down, keep):
    """the order was lost"""
    keep = keep.flip(0)
    return gate[keep], up[keep], down[:, keep]


def down_in_another_order(gate, up, down, keep):
    """the order was lost"""
    return gate[keep], up[keep], down[:, keep.flip(0)]


def up_stays_whole(gate, up, down, keep):
    """up stayed whole"""
    return gate[keep], up, down[:, keep]


def gate_alone(gate, up, down, keep):
    """up and down stayed whole"""
    return gate[keep], up, down


def the_first_ones(gate, up, down, keep):
    """gate has the rows of the kept channels"""
    return gate[: len(keep)], up[: len(keep)], down[:, : len(keep)]


def transposed_down(gate, up, down, keep):
    """for down"""
    return gate[keep], up[keep], down[:, keep].T


def in_float32(gate, up, down, keep):
    """gate is torch.float32, it was torch.float16"""
    return gate[keep].float(), up[keep].float(), down[:, keep].float()


def only_two(gate, up, down, keep):
    """yours has 2"""
    return gate[keep], up[keep]


def forgets_return(gate, up, down, keep):
    """is a return missing?"""
    right_indexing(gate, up, down, keep)


def zeroes_in_place(gate, up, down, keep):
    """changed gate in place"""
    slices = tuple(matrix.clone() for matrix in right_indexing(gate, up, down, keep))
    gate.zero_()
    return slices


def up_first(gate, up, down, keep):
    """The slices are right, their order is not: return gate, up, down"""
    return up[keep], gate[keep], down[:, keep]


def indices_as_a_mask(gate, up, down, keep):
    """`keep` was taken for a mask"""
    return gate[keep.bool()], up[keep.bool()], down[:, keep.bool()]


def not_written(gate, up, down, keep):
    """not written yet"""
    raise NotImplementedError()
