"""Answers to gptq_layer. A wrong one's docstring is the phrase that must name its mistake."""

import torch


def _damped(hessian, damp):
    return hessian + damp * hessian.diagonal().mean() * torch.eye(len(hessian))


def _factor(hessian):
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(hessian)), upper=True)


def _ends(new, _weight, j, stop):
    return new[:, j:stop].amin(dim=1), new[:, j:stop].amax(dim=1)


def _nearest(values, low, high, bits):
    scale = (high - low) / (2**bits - 1)
    codes = ((values - low) / torch.where(scale > 0, scale, 1)).round().clamp(0, 2**bits - 1)
    return low + scale * codes


def _walk(
    weight,
    hessian,
    bits,
    group,
    block=128,
    damp=0.01,
    *,
    damped=_damped,
    factor=_factor,
    ends=_ends,
    nearest=_nearest,
    late=True,
    divided=lambda error, pivot: error / pivot,
    anew=False,
):
    """The reference with places where it can go wrong; anew: the grid is made again at each column."""
    u, inputs = factor(damped(hessian, damp)), weight.shape[1]
    new = weight.clone()
    for start in range(0, inputs, block):
        stop = min(start + block, inputs)
        errors = torch.zeros(len(weight), stop - start)
        for j in range(start, stop):
            begin = j - (j - start) % group
            if j == begin or anew:
                low, high = ends(new, weight, j, min(begin + group, stop))
            value = nearest(new[:, j], low, high, bits)
            error = divided(new[:, j] - value, u[j, j])
            new[:, j + 1 : stop] -= error[:, None] * u[j, j + 1 : stop]
            new[:, j] = value
            errors[:, j - start] = error
        if late:
            new[:, stop:] -= errors @ u[start:stop, stop:]
    return new


def right_blocks(weight, hessian, bits, group, block=128, damp=0.01):
    return _walk(weight, hessian, bits, group, block, damp)


def right_three_changed_lines(weight, hessian, bits, group, block=128, damp=0.01):
    """Its own update takes a column to its value, but for rounding: nothing is written back."""
    u, inputs = _factor(_damped(hessian, damp)), weight.shape[1]
    new = weight.clone()
    for start in range(0, inputs, block):
        stop = min(start + block, inputs)
        errors = torch.zeros(len(weight), stop - start)
        for j in range(start, stop):
            if (j - start) % group == 0:
                low, high = new[:, j : min(j + group, stop)].aminmax(dim=1)
            error = (new[:, j] - _nearest(new[:, j], low, high, bits)) / u[j, j]
            new[:, j:stop] -= error[:, None] * u[j, j:stop]
            errors[:, j - start] = error
        new[:, stop:] -= errors @ u[start:stop, stop:]
    return new


def right_every_column_at_once(weight, hessian, bits, group, block=128, damp=0.01):
    """No blocks, no factor: the inverse loses row and column j by one step of Gauss; values are searched."""
    inverse, new = torch.linalg.inv(_damped(hessian, damp).double()), weight.double()
    for j in range(weight.shape[1]):
        if j % group == 0:
            low, high = new[:, j : j + group].aminmax(dim=1)
            steps = torch.arange(2**bits) / (2**bits - 1)
            grid = low[:, None] + (high - low)[:, None] * steps  # [out, values]
        place = (grid - new[:, j, None]).abs().argmin(dim=1, keepdim=True)
        error = new[:, j] - grid.gather(1, place)[:, 0]
        new = new - torch.outer(error / inverse[j, j], inverse[j])
        inverse = inverse - torch.outer(inverse[:, j], inverse[j]) / inverse[j, j]
    return new.float()


def right_published(weight, hessian, bits, group, block=128, damp=0.01):
    """As in the authors' code: dead inputs get a one on the diagonal, and their weights become 0."""
    hessian, weight, dead = hessian.clone(), weight.clone(), hessian.diagonal() == 0
    hessian[dead, dead] = 1
    weight[:, dead] = 0
    mean = hessian.diagonal()[~dead].sum() / len(hessian)
    return _walk(weight, hessian + (damp * mean) * torch.eye(len(hessian)), bits, group, block, 0.0)


def rounding_alone(weight, hessian, bits, group, block=128, damp=0.01):
    """this is rounding to nearest alone"""
    parts = [_nearest(part, *part.aminmax(dim=1, keepdim=True), bits) for part in weight.split(group, dim=1)]
    return torch.cat(parts, dim=1)


def one_inverse_for_all(weight, hessian, bits, group, block=128, damp=0.01):
    """the inverse stayed that of all inputs"""
    inverse, new = torch.linalg.inv(_damped(hessian, damp)), weight.clone()
    for j in range(weight.shape[1]):
        if j % group == 0:
            low, high = new[:, j : j + group].aminmax(dim=1)
        value = _nearest(new[:, j], low, high, bits)
        new[:, j + 1 :] -= torch.outer((new[:, j] - value) / inverse[j, j], inverse[j, j + 1 :])
        new[:, j] = value
    return new


def left_columns_move(weight, hessian, bits, group, block=128, damp=0.01):
    """the columns left of j moved, too"""
    inverse, new = torch.linalg.inv(_damped(hessian, damp)), weight.clone()
    for j in range(weight.shape[1]):
        if j % group == 0:
            low, high = new[:, j : j + group].aminmax(dim=1)
        error = new[:, j] - _nearest(new[:, j], low, high, bits)
        new -= torch.outer(error / inverse[j, j], inverse[:, j])
    return new


def not_divided(weight, hessian, bits, group, block=128, damp=0.01):
    """an error was not divided by the factor's diagonal"""
    return _walk(weight, hessian, bits, group, block, damp, divided=lambda error, _pivot: error)


def wrong_sign(weight, hessian, bits, group, block=128, damp=0.01):
    """the sign is minus"""
    return _walk(weight, hessian, bits, group, block, damp, divided=lambda error, pivot: -error / pivot)


def no_late_update(weight, hessian, bits, group, block=128, damp=0.01):
    """the errors of a block never reached the columns right of it"""
    return _walk(weight, hessian, bits, group, block, damp, late=False)


def no_damping(weight, hessian, bits, group, block=128, damp=0.01):
    """the damping is missing"""
    return _walk(weight, hessian, bits, group, block, damp, damped=lambda h, _damp: h)


def damp_as_it_is(weight, hessian, bits, group, block=128, damp=0.01):
    """damp itself was added"""
    return _walk(
        weight, hessian, bits, group, block, damp, damped=lambda h, damp: h + damp * torch.eye(len(h))
    )


def damps_the_inverse(weight, hessian, bits, group, block=128, damp=0.01):
    """the damping is missing, or came too late"""
    return _walk(
        weight, hessian, bits, group, block, damp,
        damped=lambda h, _damp: torch.cholesky_inverse(torch.linalg.cholesky(h)),
        factor=lambda inverse: torch.linalg.cholesky(_damped(inverse, damp), upper=True),
    )  # fmt: skip


def no_inverse(weight, hessian, bits, group, block=128, damp=0.01):
    """H itself took the place of its inverse"""
    return _walk(
        weight, hessian, bits, group, block, damp, factor=lambda h: torch.linalg.cholesky(h, upper=True)
    )


def grids_of_the_first_weights(weight, hessian, bits, group, block=128, damp=0.01):
    """the grid of a group was made before its weights had moved"""
    return _walk(
        weight, hessian, bits, group, block, damp,
        ends=lambda _new, weight, j, stop: weight[:, j:stop].aminmax(dim=1),
    )  # fmt: skip


def grids_when_a_block_begins(weight, hessian, bits, group, block=128, damp=0.01):
    """the grids of a block were all made when it began"""
    seen = {}

    def ends(new, _weight, j, stop):
        if j % block == 0:
            seen["block"] = new.clone()
        return seen["block"][:, j:stop].aminmax(dim=1)

    return _walk(weight, hessian, bits, group, block, damp, ends=ends)


def a_grid_for_each_column(weight, hessian, bits, group, block=128, damp=0.01):
    """a grid was made anew at each column"""
    return _walk(weight, hessian, bits, group, block, damp, anew=True)


def one_grid_for_all_rows(weight, hessian, bits, group, block=128, damp=0.01):
    """all rows share a grid"""
    return _walk(
        weight, hessian, bits, group, block, damp,
        ends=lambda new, _weight, j, stop: new[:, j:stop].aminmax(),
    )  # fmt: skip


def stretched_to_zero(weight, hessian, bits, group, block=128, damp=0.01):
    """the grid was stretched to 0"""

    def ends(*given):
        low, high = _ends(*given)
        return low.clamp_max(0), high.clamp_min(0)

    return _walk(weight, hessian, bits, group, block, damp, ends=ends)


def around_zero(weight, hessian, bits, group, block=128, damp=0.01):
    """the grid lies around 0"""

    def ends(new, _weight, j, stop):
        most = new[:, j:stop].abs().amax(dim=1)
        return -most, most

    return _walk(weight, hessian, bits, group, block, damp, ends=ends)


def first_attempt(weight, hessian, bits, group, block=128, damp=0.01):
    """this is rounding to nearest alone, and one grid serves a whole row"""
    low, high = weight.aminmax(dim=1, keepdim=True)
    return _unclamped(weight, low, high, bits)


def one_grid_a_row(weight, hessian, bits, group, block=128, damp=0.01):
    """one grid serves a whole row"""
    return _walk(weight, hessian, bits, weight.shape[1], weight.shape[1], damp)


def _unclamped(values, low, high, bits):
    scale = (high - low) / (2**bits - 1)
    return low + scale * ((values - low) / torch.where(scale > 0, scale, 1)).round()


def not_clamped(weight, hessian, bits, group, block=128, damp=0.01):
    """the codes were not clamped"""
    return _walk(weight, hessian, bits, group, block, damp, nearest=_unclamped)


def too_many_steps(weight, hessian, bits, group, block=128, damp=0.01):
    """4 steps were made. 4 values have 3 steps between them"""

    def nearest(values, low, high, bits):
        scale = ((high - low) / 2**bits).clamp_min(1e-12)
        return low + scale * ((values - low) / scale).round().clamp(0, 2**bits - 1)

    return _walk(weight, hessian, bits, group, block, damp, nearest=nearest)


def cut_to_whole_numbers(weight, hessian, bits, group, block=128, damp=0.01):
    """the codes were cut to whole numbers"""

    def nearest(values, low, high, bits):
        scale = ((high - low) / (2**bits - 1)).clamp_min(1e-12)
        return low + scale * ((values - low) / scale).clamp(0, 2**bits - 1).int()

    return _walk(weight, hessian, bits, group, block, damp, nearest=nearest)


def equal_weights_divide_by_zero(weight, hessian, bits, group, block=128, damp=0.01):
    """a scale of 0 divided"""

    def nearest(values, low, high, bits):
        scale = (high - low) / (2**bits - 1)
        return low + scale * ((values - low) / scale).round().clamp(0, 2**bits - 1)

    return _walk(weight, hessian, bits, group, block, damp, nearest=nearest)


def not_written_back(weight, hessian, bits, group, block=128, damp=0.01):
    """no value was written back"""
    u, new = _factor(_damped(hessian, damp)), weight.clone()
    for j in range(weight.shape[1]):
        if j % group == 0:
            low, high = new[:, j : j + group].aminmax(dim=1)
        error = (new[:, j] - _nearest(new[:, j], low, high, bits)) / u[j, j]
        new[:, j + 1 :] -= error[:, None] * u[j, j + 1 :]
    return new


def codes(weight, hessian, bits, group, block=128, damp=0.01):
    """the codes were returned"""
    u, new, found = _factor(_damped(hessian, damp)), weight.clone(), torch.zeros_like(weight)
    for j in range(weight.shape[1]):
        if j % group == 0:
            low, high = new[:, j : j + group].aminmax(dim=1)
            scale = ((high - low) / (2**bits - 1)).clamp_min(1e-12)
        found[:, j] = ((new[:, j] - low) / scale).round().clamp(0, 2**bits - 1)
        error = (new[:, j] - low - scale * found[:, j]) / u[j, j]
        new[:, j + 1 :] -= error[:, None] * u[j, j + 1 :]
    return found


def in_double(weight, hessian, bits, group, block=128, damp=0.01):
    """it is torch.float64"""
    return _walk(weight, hessian, bits, group, block, damp).double()


def in_place(weight, hessian, bits, group, block=128, damp=0.01):
    """changed weight in place"""
    return weight.copy_(_walk(weight, hessian, bits, group, block, damp))


def damps_in_place(weight, hessian, bits, group, block=128, damp=0.01):
    """changed hessian in place"""
    found = _walk(weight, hessian, bits, group, block, damp)
    hessian.diagonal().add_(damp * hessian.diagonal().mean())
    return found


def forgets_return(weight, hessian, bits, group, block=128, damp=0.01):
    """is a return missing?"""
    _walk(weight, hessian, bits, group, block, damp)


def not_written(weight, hessian, bits, group, block=128, damp=0.01):
    """not written yet"""
    raise NotImplementedError()
