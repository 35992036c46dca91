"""Answers to kv_group_importance. A wrong one's docstring is the phrase that must name its mistake."""

import torch

WORTH = {
    "l1": lambda w, g: w.abs(),
    "l2": lambda w, g: w.square(),
    "taylor": lambda w, g: (w * g).abs(),
}


def _worths(weights, criterion, grads, worth=WORTH):
    wide = [weight.float() for weight in weights]
    slopes = [grad.float() for grad in grads] if grads else wide
    return [worth[criterion](w, g) for w, g in zip(wide, slopes, strict=True)]


def _by_rows(weights, head_dim, kv_heads, criterion, grads):
    """What the rows of q, k and v and the columns of o add up to, four vectors."""
    q, k, v, o = _worths(weights, criterion, grads)
    return q.sum(dim=1), k.sum(dim=1), v.sum(dim=1), o.sum(dim=0)


def _grouped(rows, kv_heads):
    return rows.view(kv_heads, -1).sum(dim=1)


def _taking_turns(rows, head_dim, kv_heads):
    return rows.view(-1, kv_heads, head_dim).sum(dim=(0, 2))


def right_views(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    if criterion == "random":
        return torch.rand(kv_heads, generator=generator)
    rows = _by_rows((q, k, v, o), head_dim, kv_heads, criterion, grads)
    return sum(_grouped(each, kv_heads) for each in rows)


def right_head_by_head(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    if criterion == "random":
        return torch.randn(kv_heads, generator=generator)
    q, k, v, o = _worths((q, k, v, o), criterion, grads)
    served = len(q) // len(k)
    score = torch.zeros(kv_heads)
    for head in range(kv_heads):
        own = slice(head * head_dim, (head + 1) * head_dim)
        queries = slice(head * served * head_dim, (head + 1) * served * head_dim)
        score[head] = q[queries].sum() + k[own].sum() + v[own].sum() + o[:, queries].sum()
    return score


def _interleaved(names, q, k, v, o, head_dim, kv_heads, criterion, grads, generator):
    if criterion == "random":
        return torch.rand(kv_heads, generator=generator)
    rows = dict(zip("qkvo", _by_rows((q, k, v, o), head_dim, kv_heads, criterion, grads), strict=True))
    return sum(
        _taking_turns(each, head_dim, kv_heads) if name in names else _grouped(each, kv_heads)
        for name, each in rows.items()
    )


def published_order(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """of q and o. It serves neighbours"""
    return _interleaved("qo", q, k, v, o, head_dim, kv_heads, criterion, grads, generator)


def queries_take_turns(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """of q. It serves neighbours"""
    return _interleaved("q", q, k, v, o, head_dim, kv_heads, criterion, grads, generator)


def outputs_take_turns(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """of o. It serves neighbours"""
    return _interleaved("o", q, k, v, o, head_dim, kv_heads, criterion, grads, generator)


def rows_take_turns(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """rows took turns"""
    if criterion == "random":
        return torch.rand(kv_heads, generator=generator)
    rows = _by_rows((q, k, v, o), head_dim, kv_heads, criterion, grads)
    return sum(each.view(-1, kv_heads).sum(dim=0) for each in rows)


def _without(absent, q, k, v, o, head_dim, kv_heads, criterion, grads, generator):
    if criterion == "random":
        return torch.rand(kv_heads, generator=generator)
    rows = dict(zip("qkvo", _by_rows((q, k, v, o), head_dim, kv_heads, criterion, grads), strict=True))
    return sum(_grouped(each, kv_heads) for name, each in rows.items() if name not in absent)


def without_q(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """q did not count"""
    return _without("q", q, k, v, o, head_dim, kv_heads, criterion, grads, generator)


def without_o(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """o did not count"""
    return _without("o", q, k, v, o, head_dim, kv_heads, criterion, grads, generator)


def keys_and_values_alone(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """q and o did not count"""
    return _without("qo", q, k, v, o, head_dim, kv_heads, criterion, grads, generator)


def one_query_head_each(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """was scored with one query head"""
    fewer = (grads[0][: len(k)], grads[1], grads[2], grads[3][:, : len(k)]) if grads else None
    cut = (q[: len(k)], k, v, o[:, : len(k)])
    return right_views(*cut, head_dim, kv_heads, criterion, fewer, generator)


def rows_of_o(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """yours is"""
    if criterion == "random":
        return torch.rand(kv_heads, generator=generator)
    worths = _worths((q, k, v, o), criterion, grads)
    return sum(each.sum(dim=1)[:, None].sum(dim=1).sum() for each in worths)


def per_query_head(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """yours is (4,)"""
    return right_views(q, k, v, o, head_dim, kv_heads, criterion, grads, generator).repeat_interleave(2)


def means(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """means were taken instead of sums"""
    if criterion == "random":
        return torch.rand(kv_heads, generator=generator)
    q, k, v, o = _worths((q, k, v, o), criterion, grads)
    own = sum(each.view(kv_heads, -1).mean(dim=1) for each in (q, k, v))
    return own + o.T.reshape(kv_heads, -1).mean(dim=1)


def signs_kept(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """signs were kept"""
    if criterion != "l1":
        return right_views(q, k, v, o, head_dim, kv_heads, criterion, grads, generator)
    rows = (q.float().sum(dim=1), k.float().sum(dim=1), v.float().sum(dim=1), o.float().sum(dim=0))
    return sum(_grouped(each, kv_heads) for each in rows)


def root_of_l2(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """a root was taken"""
    score = right_views(q, k, v, o, head_dim, kv_heads, criterion, grads, generator)
    return score.sqrt() if criterion == "l2" else score


def l2_for_taylor(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """ "l2" was computed where "taylor" was asked for"""
    other = "l2" if criterion == "taylor" else criterion
    return right_views(q, k, v, o, head_dim, kv_heads, other, None, generator)


def taylor_of_sums(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """the absolute value taken of the sum"""
    if criterion != "taylor":
        return right_views(q, k, v, o, head_dim, kv_heads, criterion, grads, generator)
    q, k, v, o = _worths((q, k, v, o), criterion, grads, {"taylor": lambda w, g: w * g})
    rows = (q.sum(dim=1), k.sum(dim=1), v.sum(dim=1), o.sum(dim=0))
    return sum(_grouped(each, kv_heads) for each in rows).abs()


def k_and_v_gradients_exchanged(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """gradients met other weights than their own"""
    turned = (grads[0], grads[2], grads[1], grads[3]) if grads else None
    return right_views(q, k, v, o, head_dim, kv_heads, criterion, turned, generator)


def half_overflows(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """half precision overflowed before the sum"""
    if criterion != "l2":
        return right_views(q, k, v, o, head_dim, kv_heads, criterion, grads, generator)
    q, k, v, o = (weight.square() for weight in (q, k, v, o))
    return sum(_grouped(each, kv_heads) for each in (q.sum(dim=1), k.sum(dim=1), v.sum(dim=1), o.sum(dim=0)))


def random_without_generator(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """two generators in the same state gave different scores"""
    return right_views(q, k, v, o, head_dim, kv_heads, criterion, grads, None)


def forgets_return(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """is a return missing?"""
    right_views(q, k, v, o, head_dim, kv_heads, criterion, grads, generator)


def pieces_of_head_dim(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """q was cut into pieces of head_dim rows"""
    if criterion == "random":
        return torch.rand(kv_heads, generator=generator)
    vectors = _by_rows((q, k, v, o), head_dim, kv_heads, criterion, grads)
    return sum(vector.view(-1, head_dim).sum(dim=1) for vector in vectors)


def shares_of_the_sum(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """all scores were divided by one number"""
    score = right_views(q, k, v, o, head_dim, kv_heads, criterion, grads, generator)
    return score / score.sum()


def not_written(q, k, v, o, head_dim, kv_heads, criterion, grads=None, generator=None):
    """not written yet"""
    raise NotImplementedError()
