"""Answers to channel_importance. A wrong one's docstring is the phrase that must name its mistake."""

import torch

WORTH = {
    "l1": lambda w, g: w.abs(),
    "l2": lambda w, g: w.square(),
    "taylor": lambda w, g: (w * g).abs(),
}


def _worths(gate, up, down, criterion, grads, worth=WORTH):
    weights = [weight.float() for weight in (gate, up, down)]
    slopes = [grad.float() for grad in grads] if grads else weights
    return [worth[criterion](w, g) for w, g in zip(weights, slopes, strict=True)]


def _scored(gate, up, down, criterion, grads, generator, worth=WORTH, take=(1, 1, 1)):
    if criterion == "random":
        return torch.rand(len(gate), generator=generator)
    gate, up, down = _worths(gate, up, down, criterion, grads, worth)
    return take[0] * gate.sum(dim=1) + take[1] * up.sum(dim=1) + take[2] * down.sum(dim=0)


def right_sums(gate, up, down, criterion, grads=None, generator=None):
    return _scored(gate, up, down, criterion, grads, generator)


def right_joined(gate, up, down, criterion, grads=None, generator=None):
    if criterion == "random":
        return torch.randn(len(gate), generator=generator).abs()
    joined = torch.cat([gate, up, down.T], dim=1).double()
    slopes = torch.cat([grads[0], grads[1], grads[2].T], dim=1).double() if grads else joined
    return WORTH[criterion](joined, slopes).sum(dim=1).float()


def right_one_by_one(gate, up, down, criterion, grads=None, generator=None):
    if criterion == "random":
        return torch.rand(len(gate), generator=generator)
    gate, up, down = _worths(gate, up, down, criterion, grads)
    return torch.stack([gate[i].sum() + up[i].sum() + down[:, i].sum() for i in range(len(gate))])


def gate_alone(gate, up, down, criterion, grads=None, generator=None):
    """gate alone was scored"""
    return _scored(gate, up, down, criterion, grads, generator, take=(1, 0, 0))


def down_forgotten(gate, up, down, criterion, grads=None, generator=None):
    """down was forgotten"""
    return _scored(gate, up, down, criterion, grads, generator, take=(1, 1, 0))


def up_forgotten(gate, up, down, criterion, grads=None, generator=None):
    """up was forgotten"""
    return _scored(gate, up, down, criterion, grads, generator, take=(1, 0, 1))


def rows_of_down(gate, up, down, criterion, grads=None, generator=None):
    """the rows of down were summed"""
    if criterion == "random":
        return torch.rand(len(gate), generator=generator)
    gate, up, down = _worths(gate, up, down, criterion, grads)
    return gate.sum(dim=1) + up.sum(dim=1) + down.sum(dim=1)


def columns_everywhere(gate, up, down, criterion, grads=None, generator=None):
    """columns of gate and up were summed"""
    if criterion == "random":
        return torch.rand(len(gate), generator=generator)
    gate, up, down = _worths(gate, up, down, criterion, grads)
    return gate.sum(dim=0) + up.sum(dim=0) + down.sum(dim=0)


def means(gate, up, down, criterion, grads=None, generator=None):
    """means were taken instead of sums"""
    if criterion == "random":
        return torch.rand(len(gate), generator=generator)
    gate, up, down = _worths(gate, up, down, criterion, grads)
    return gate.mean(dim=1) + up.mean(dim=1) + down.mean(dim=0)


def mean_of_three(gate, up, down, criterion, grads=None, generator=None):
    """means were taken instead of sums"""
    return _scored(gate, up, down, criterion, grads, generator) / 3


def signs_kept(gate, up, down, criterion, grads=None, generator=None):
    """signs"""
    signed = WORTH | {"l1": lambda w, g: w}
    return _scored(gate, up, down, criterion, grads, generator, signed)


def root_of_l2(gate, up, down, criterion, grads=None, generator=None):
    """a root was taken"""
    score = _scored(gate, up, down, criterion, grads, generator)
    return score.sqrt() if criterion == "l2" else score


def norms_added(gate, up, down, criterion, grads=None, generator=None):
    """a root was taken"""
    if criterion != "l2":
        return _scored(gate, up, down, criterion, grads, generator)
    return gate.float().norm(dim=1) + up.float().norm(dim=1) + down.float().norm(dim=0)


def l1_for_l2(gate, up, down, criterion, grads=None, generator=None):
    """ "l1" was computed where "l2" was asked for"""
    return _scored(gate, up, down, "l1" if criterion == "l2" else criterion, grads, generator)


def l1_for_all(gate, up, down, criterion, grads=None, generator=None):
    """ "l1" was computed where "l2" was asked for"""
    return _scored(gate, up, down, "l1", None, generator)


def taylor_of_sums(gate, up, down, criterion, grads=None, generator=None):
    """the absolute value taken of the sum"""
    net = WORTH | {"taylor": lambda w, g: w * g}
    return _scored(gate, up, down, criterion, grads, generator, net).abs()


def taylor_of_three_sums(gate, up, down, criterion, grads=None, generator=None):
    """the absolute value taken of the sum"""
    if criterion != "taylor":
        return _scored(gate, up, down, criterion, grads, generator)
    gate, up, down = _worths(gate, up, down, criterion, grads, {"taylor": lambda w, g: w * g})
    return gate.sum(dim=1).abs() + up.sum(dim=1).abs() + down.sum(dim=0).abs()


def taylor_signed(gate, up, down, criterion, grads=None, generator=None):
    """no score is negative"""
    net = WORTH | {"taylor": lambda w, g: w * g}
    return _scored(gate, up, down, criterion, grads, generator, net)


def gradients_alone(gate, up, down, criterion, grads=None, generator=None):
    """gradients alone were summed"""
    alone = WORTH | {"taylor": lambda w, g: g.abs()}
    return _scored(gate, up, down, criterion, grads, generator, alone)


def taylor_squared(gate, up, down, criterion, grads=None, generator=None):
    """the products were squared"""
    squared = WORTH | {"taylor": lambda w, g: (w * g).square()}
    return _scored(gate, up, down, criterion, grads, generator, squared)


def gradients_exchanged(gate, up, down, criterion, grads=None, generator=None):
    """gradients met other weights than their own"""
    turned = (grads[1], grads[0], grads[2]) if grads else None
    return _scored(gate, up, down, criterion, turned, generator)


def half_overflows(gate, up, down, criterion, grads=None, generator=None):
    """half precision overflowed before the sum"""
    if criterion == "random":
        return torch.rand(len(gate), generator=generator)
    slopes = grads or (gate, up, down)
    gate, up, down = (WORTH[criterion](w, g) for w, g in zip((gate, up, down), slopes, strict=True))
    return gate.sum(dim=1) + up.sum(dim=1) + down.sum(dim=0)


def half_products(gate, up, down, criterion, grads=None, generator=None):
    """taylor of half precision, its products tiny"""
    if criterion != "taylor":
        return _scored(gate, up, down, criterion, grads, generator)
    gate, up, down = ((w * g).abs().float() for w, g in zip((gate, up, down), grads, strict=True))
    return gate.sum(dim=1) + up.sum(dim=1) + down.sum(dim=0)


def random_without_generator(gate, up, down, criterion, grads=None, generator=None):
    """two generators in the same state gave different scores"""
    return _scored(gate, up, down, criterion, grads, None)


def random_with_own_seed(gate, up, down, criterion, grads=None, generator=None):
    """generators in different states gave the same scores"""
    return _scored(gate, up, down, criterion, grads, torch.Generator().manual_seed(0))


def random_is_equal(gate, up, down, criterion, grads=None, generator=None):
    """all are equal"""
    if criterion == "random":
        return torch.rand(1, generator=generator).expand(len(gate))
    return _scored(gate, up, down, criterion, grads, generator)


def one_number(gate, up, down, criterion, grads=None, generator=None):
    """yours is ()"""
    return _scored(gate, up, down, criterion, grads, generator).sum()


def whole_numbers(gate, up, down, criterion, grads=None, generator=None):
    """it is torch.int64"""
    return _scored(gate, up, down, criterion, grads, generator).long()


def takes_absolute_in_place(gate, up, down, criterion, grads=None, generator=None):
    """changed gate, up, down in place"""
    score = _scored(gate, up, down, criterion, grads, generator)
    for weight in (gate, up, down):
        weight.abs_()
    return score


def forgets_return(gate, up, down, criterion, grads=None, generator=None):
    """is a return missing?"""
    _scored(gate, up, down, criterion, grads, generator)


def gradient_of_the_weight(gate, up, down, criterion, grads=None, generator=None):
    """weight.grad is None here"""
    if criterion == "taylor":
        grads = [gate.grad.float(), up.grad.float(), down.grad.float()]
    return right_sums(gate, up, down, criterion, grads, generator)


def grads_opened_always(gate, up, down, criterion, grads=None, generator=None):
    """it is None for every criterion but taylor"""
    of_gate, of_up, of_down = grads
    return right_sums(gate, up, down, criterion, (of_gate, of_up, of_down), generator)


def not_written(gate, up, down, criterion, grads=None, generator=None):
    """not written yet"""
    raise NotImplementedError()
