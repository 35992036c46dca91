"""Answers to sparsegpt_layer. A wrong one's docstring is the phrase that must name its mistake."""

import torch


def _damped(hessian, damp):
    return hessian + damp * hessian.diagonal().mean() * torch.eye(len(hessian))


def _factor(hessian):
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(hessian)), upper=True)


def _score(new, u, here):
    return (new[:, here] / u.diagonal()[here]).square()


def _lowest_of_all(score, sparsity, pattern):
    pool = score if pattern else score.reshape(1, -1)
    drop = pattern[1] - pattern[0] if pattern else round(sparsity * pool.numel())
    places = pool.topk(drop, dim=1, largest=False).indices
    return torch.ones_like(pool, dtype=torch.bool).scatter(1, places, False).view_as(score)


def _walk(
    weight,
    hessian,
    sparsity,
    block=128,
    damp=0.01,
    pattern=None,
    *,
    damped=_damped,
    factor=_factor,
    score=_score,
    lowest=_lowest_of_all,
    late=True,
    divided=lambda w, pivot: w / pivot,
    whole=None,
):
    """The reference with places where it can go wrong; whole: a mask for all columns, chosen before."""
    inputs = weight.shape[1]
    group = pattern[1] if pattern else block
    if inputs % group and pattern:
        raise ValueError("the groups do not fit")
    u = factor(damped(hessian, damp))
    new, mask = weight.clone(), torch.ones_like(weight, dtype=torch.bool) if whole is None else whole
    for start in range(0, inputs, block):
        stop = min(start + block, inputs)
        errors = torch.zeros(len(weight), stop - start)
        for j in range(start, stop):
            if (j - start) % group == 0 and whole is None:
                here = slice(j, min(j + group, stop))
                mask[:, here] = lowest(score(new, u, here), sparsity, pattern)
            error = divided(new[:, j], u[j, j]) * ~mask[:, j]
            new[:, j:stop] -= error[:, None] * u[j, j:stop]
            errors[:, j - start] = error
        if late:
            new[:, stop:] -= errors @ u[start:stop, stop:]
    return new * mask, mask


def right_blocks(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    return _walk(weight, hessian, sparsity, block, damp, pattern)


def right_every_column_at_once(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    inputs, group = weight.shape[1], pattern[1] if pattern else block
    if pattern and inputs % group:
        raise ValueError()
    u = _factor(_damped(hessian, damp).double())
    new, masks = weight.double(), []
    for j in range(inputs):
        if j % group == 0:
            masks.append(_lowest_of_all(_score(new, u, slice(j, j + group)), sparsity, pattern))
        kept = masks[-1][:, j % group]
        new = new - torch.where(kept, 0.0, new[:, j] / u[j, j])[:, None] * u[j]
    mask = torch.cat(masks, dim=1)
    return new.float().masked_fill(~mask, 0), mask


def right_by_elimination(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """No Cholesky factor: the inverse loses row and column j by one step of Gauss, as in OBC."""
    inputs, group = weight.shape[1], pattern[1] if pattern else block
    if pattern and inputs % group:
        raise ValueError()
    h = _damped(hessian, damp).double()
    new, mask = weight.double(), torch.ones_like(weight, dtype=torch.bool)
    pivots, inverse = torch.zeros(inputs).double(), torch.linalg.inv(h)
    rows = []
    for j in range(inputs):
        rows.append(inverse[j] / inverse[j, j])
        pivots[j] = inverse[j, j]
        inverse = inverse - torch.outer(inverse[:, j], inverse[j]) / inverse[j, j]
        inverse[j] = inverse[:, j] = 0
    for j in range(inputs):
        if j % group == 0:
            here = slice(j, j + group)
            mask[:, here] = _lowest_of_all(new[:, here].square() / pivots[here], sparsity, pattern)
        gone = ~mask[:, j]
        new[gone] -= new[gone, j][:, None] * rows[j]
    return (new * mask).float(), mask


def right_published(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """As in the authors' code: dead inputs get a one on the diagonal, and their weights go first."""
    hessian, weight, dead = hessian.clone(), weight.clone(), hessian.diagonal() == 0
    hessian[dead, dead] = 1
    weight[:, dead] = 0
    found, mask = _walk(weight, hessian, sparsity, block, damp, pattern)
    return found, mask


def right_a_list(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    return list(_walk(weight, hessian, sparsity, block, damp, pattern))


def mask_alone(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """the survivors did not move"""
    _, mask = _walk(weight, hessian, sparsity, block, damp, pattern)
    return weight * mask, mask


def wanda_then_update(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """the scores were Wanda's"""

    def wanda(new, _u, here):
        return new[:, here].square() * hessian.diagonal()[here]

    return _walk(weight, hessian, sparsity, block, damp, pattern, score=wanda)


def magnitudes(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """H was not used in the mask"""
    return _walk(
        weight, hessian, sparsity, block, damp, pattern, score=lambda new, _u, here: new[:, here].abs()
    )


def diagonal_of_the_whole_inverse(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """the scores take the diagonal of the whole inverse"""
    whole = torch.linalg.inv(_damped(hessian, damp)).diagonal()
    return _walk(
        weight, hessian, sparsity, block, damp, pattern,
        score=lambda new, _u, here: new[:, here].square() / whole[here],
    )  # fmt: skip


def diagonal_squared_twice(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """squared once too often"""
    return _walk(
        weight, hessian, sparsity, block, damp, pattern,
        score=lambda new, u, here: new[:, here].square() / u.diagonal()[here] ** 4,
    )  # fmt: skip


def highest_dropped(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """the highest scores were dropped"""
    return _walk(weight, hessian, sparsity, block, damp, pattern, score=lambda *each: -_score(*each))


def published_threshold(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """one weight more than k went"""

    def lowest(score, sparsity, pattern):
        if pattern:
            return _lowest_of_all(score, sparsity, pattern)
        place = min(int(score.numel() * sparsity), score.numel() - 1)
        return score > score.flatten().sort().values[place]

    return _walk(weight, hessian, sparsity, block, damp, pattern, lowest=lowest)


def blocks_chosen_at_the_start(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """the mask of every block was chosen at the start"""
    old = weight.clone()

    def score(_new, u, here):
        return _score(old, u, here)

    return _walk(weight, hessian, sparsity, block, damp, pattern, score=score)


def scores_multiplied(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """the scores were multiplied by [H^-1]_jj"""

    def score(new, u, here):
        return (new[:, here] * u.diagonal()[here]).square()

    return _walk(weight, hessian, sparsity, block, damp, pattern, score=score)


def scores_with_a_sign(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """the scores have a sign"""

    def score(new, u, here):
        return new[:, here] / u.diagonal()[here]

    return _walk(weight, hessian, sparsity, block, damp, pattern, score=score)


def damp_of_all_entries(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """the mean of all entries of H was taken"""

    def damped(hessian, damp):
        return hessian + damp * hessian.mean() * torch.eye(len(hessian))

    return _walk(weight, hessian, sparsity, block, damp, pattern, damped=damped)


def damp_left_alone(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """damp was not used: 0.01 was taken"""
    return _walk(weight, hessian, sparsity, block, 0.01, pattern)


def rows_compete_alone(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """each row dropped the same number, as in Wanda"""

    def by_row(score, sparsity, pattern):
        drop = pattern[1] - pattern[0] if pattern else round(sparsity * score.shape[1])
        places = score.topk(drop, dim=1, largest=False).indices
        return torch.ones_like(score, dtype=torch.bool).scatter(1, places, False)

    return _walk(weight, hessian, sparsity, block, damp, pattern, lowest=by_row)


def chosen_at_the_start(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """the mask of the whole layer was chosen at the start"""
    u = _factor(_damped(hessian, damp))
    score = _score(weight, u, slice(None))
    whole = _lowest_of_all(score, sparsity, None)
    return _walk(weight, hessian, sparsity, block, damp, pattern, whole=whole)


def one_block(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """as it is where `block` is not used"""
    return right_blocks(weight, hessian, sparsity, 128, damp, pattern)


def inner_groups_chosen_at_the_start(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """every group was chosen at the start"""
    if not pattern or weight.shape[1] % pattern[1]:
        return _walk(weight, hessian, sparsity, block, damp, pattern)
    score = _score(weight, _factor(_damped(hessian, damp)), slice(None)).view(-1, pattern[1])
    whole = _lowest_of_all(score, sparsity, pattern).view(weight.shape)
    return _walk(weight, hessian, sparsity, block, damp, pattern, whole=whole)


def no_late_update(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """the errors of a block never reached the columns right of it"""
    return _walk(weight, hessian, sparsity, block, damp, pattern, late=False)


def one_inverse_for_all(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """the inverse stayed that of all inputs"""
    inverse = torch.linalg.inv(_damped(hessian, damp))
    new, mask, group = weight.clone(), torch.ones_like(weight, dtype=torch.bool), block
    if pattern and weight.shape[1] % pattern[1]:
        raise ValueError()
    group = pattern[1] if pattern else block
    for j in range(weight.shape[1]):
        if j % group == 0:
            here = slice(j, j + group)
            score = new[:, here].square() / inverse.diagonal()[here]
            mask[:, here] = _lowest_of_all(score, sparsity, pattern)
        error = new[:, j] / inverse[j, j] * ~mask[:, j]
        new[:, j:] -= error[:, None] * inverse[j, j:]
    return new * mask, mask


def wrong_sign(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """the sign is minus"""
    return _walk(weight, hessian, sparsity, block, damp, pattern,
                 divided=lambda w, pivot: -w / pivot)  # fmt: skip


def not_divided(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """an error was not divided by the factor's diagonal"""
    return _walk(weight, hessian, sparsity, block, damp, pattern, divided=lambda w, pivot: w)


def divided_twice(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """an error was divided by the factor's diagonal twice"""
    return _walk(weight, hessian, sparsity, block, damp, pattern, divided=lambda w, pivot: w / pivot**2)


def no_damping(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """the damping is missing"""
    return _walk(weight, hessian, sparsity, block, damp, pattern, damped=lambda h, _damp: h)


def damp_as_it_is(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """damp itself was added"""
    return _walk(
        weight, hessian, sparsity, block, damp, pattern, damped=lambda h, damp: h + damp * torch.eye(len(h))
    )


def no_inverse(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """H itself took the place of its inverse"""
    return _walk(
        weight, hessian, sparsity, block, damp, pattern,
        factor=lambda h: torch.linalg.cholesky(h, upper=True),
    )  # fmt: skip


def lower_factor(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """the survivors did not move"""
    return _walk(
        weight, hessian, sparsity, block, damp, pattern,
        factor=lambda h: torch.linalg.cholesky(torch.linalg.inv(h)),
    )  # fmt: skip


def all_columns_move(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """the dropped weights are exactly zero"""
    new, mask = _walk(weight, hessian, sparsity, block, damp, pattern)
    return new + 1e-6 * ~mask, mask


def inverted_mask(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """the mask is inverted"""
    new, mask = _walk(weight, hessian, sparsity, block, damp, pattern)
    return new, ~mask


def exchanged(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """1 of every 4 were dropped"""
    return _walk(weight, hessian, sparsity, block, damp, pattern and (pattern[1] - pattern[0], pattern[1]))


def no_groups(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """in each row 2 of every 4 inputs stay, counted exactly"""
    if pattern and weight.shape[1] % pattern[1]:
        raise ValueError()
    return _walk(weight, hessian, sparsity, block, damp)


def int_for_round(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """yours drops"""

    def lowest(score, sparsity, pattern):
        drop = int(sparsity * score.numel())
        return _lowest_of_all(score, drop / score.numel(), pattern)

    return _walk(weight, hessian, sparsity, block, damp, pattern, lowest=lowest)


def forgets_the_mask(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """your function returned a Tensor"""
    return _walk(weight, hessian, sparsity, block, damp, pattern)[0]


def in_place(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """changed weight in place"""
    new, mask = _walk(weight, hessian, sparsity, block, damp, pattern)
    weight.copy_(new)
    return new, mask


def damps_in_place(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """changed hessian in place"""
    found = _walk(weight, hessian, sparsity, block, damp, pattern)
    hessian.diagonal().add_(damp * hessian.diagonal().mean())
    return found


def forgets_return(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """is a return missing?"""
    _walk(weight, hessian, sparsity, block, damp, pattern)


def no_column_of_errors(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """error[:, None] is a column of numbers"""
    u = _factor(_damped(hessian, damp))
    error = weight[:, 0] / u[0, 0]
    return weight - error * u[0], weight != 0


def nothing_goes_in_the_last_block(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """nothing goes in 1 of 1 blocks"""
    new, mask = right_blocks(weight, hessian, sparsity, block, damp, pattern)
    start = (weight.shape[1] - 1) // block * block
    new[:, start:], mask[:, start:] = weight[:, start:], True
    return new, mask


def not_written(weight, hessian, sparsity, block=128, damp=0.01, pattern=None):
    """not written yet"""
    raise NotImplementedError()
