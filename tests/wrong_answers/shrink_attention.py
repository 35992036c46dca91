"""Answers to shrink_attention. A wrong one's docstring is the phrase that must name its mistake."""

import torch


def _rows(heads, head_dim):
    return [head * head_dim + place for head in heads for place in range(head_dim)]


def _groups(keep, served):
    return [group * served + place for group in keep.tolist() for place in range(served)]


def _served(q, k):
    return len(q) // len(k)


def right_lists(q, k, v, o, keep, head_dim, kv_heads):
    queries, keys = _rows(_groups(keep, _served(q, k)), head_dim), _rows(keep.tolist(), head_dim)
    return q[queries], k[keys], v[keys], o[:, queries]


def right_views(q, k, v, o, keep, head_dim, kv_heads):
    def kept(matrix):
        return matrix.view(kv_heads, -1, matrix.shape[1])[keep].flatten(0, 1)

    return kept(q), kept(k), kept(v), kept(o.T.contiguous()).T


def right_masks(q, k, v, o, keep, head_dim, kv_heads):
    stays = torch.zeros(kv_heads, dtype=torch.bool, device=q.device)
    stays[keep] = True
    queries, keys = (stays.repeat_interleave(len(matrix) // kv_heads) for matrix in (q, k))
    return q[queries], k[keys], v[keys], o[:, queries]


def published_order(q, k, v, o, keep, head_dim, kv_heads):
    """It serves neighbours"""
    heads = [head for head in range(kv_heads * _served(q, k)) if head % kv_heads in keep.tolist()]
    queries, keys = _rows(heads, head_dim), _rows(keep.tolist(), head_dim)
    return q[queries], k[keys], v[keys], o[:, queries]


def published_order_by_group(q, k, v, o, keep, head_dim, kv_heads):
    """It serves neighbours"""
    heads = [group + kv_heads * turn for group in keep.tolist() for turn in range(_served(q, k))]
    queries, keys = _rows(heads, head_dim), _rows(keep.tolist(), head_dim)
    return q[queries], k[keys], v[keys], o[:, queries]


def columns_take_turns(q, k, v, o, keep, head_dim, kv_heads):
    """It serves neighbours"""
    heads = [head for head in range(kv_heads * _served(q, k)) if head % kv_heads in keep.tolist()]
    queries, keys = _rows(_groups(keep, _served(q, k)), head_dim), _rows(keep.tolist(), head_dim)
    return q[queries], k[keys], v[keys], o[:, _rows(heads, head_dim)]


def as_few_queries_as_keys(q, k, v, o, keep, head_dim, kv_heads):
    """q or o lost as many heads as k"""
    keys = _rows(keep.tolist(), head_dim)
    return q[keys], k[keys], v[keys], o[:, keys]


def keep_on_rows(q, k, v, o, keep, head_dim, kv_heads):
    """`keep` was used on rows"""
    return q[keep], k[keep], v[keep], o[:, keep]


def rows_of_o(q, k, v, o, keep, head_dim, kv_heads):
    """rows of o were kept"""
    queries, keys = _rows(_groups(keep, _served(q, k)), head_dim), _rows(keep.tolist(), head_dim)
    return q[queries], k[keys], v[keys], o[queries]


def o_stays_whole(q, k, v, o, keep, head_dim, kv_heads):
    """o stayed whole"""
    return *right_lists(q, k, v, o, keep, head_dim, kv_heads)[:3], o


def queries_stay_whole(q, k, v, o, keep, head_dim, kv_heads):
    """q and o stayed whole"""
    _, k, v, _ = right_lists(q, k, v, o, keep, head_dim, kv_heads)
    return q, k, v, o


def zeros(q, k, v, o, keep, head_dim, kv_heads):
    """the removed ones were set to zero"""
    stays = torch.zeros(kv_heads, dtype=q.dtype, device=q.device)
    stays[keep] = 1
    queries, keys = (stays.repeat_interleave(len(matrix) // kv_heads) for matrix in (q, k))
    return q * queries[:, None], k * keys[:, None], v * keys[:, None], o * queries


def the_others(q, k, v, o, keep, head_dim, kv_heads):
    """the others were kept"""
    rest = torch.tensor([group for group in range(kv_heads) if group not in keep.tolist()], dtype=torch.long)
    return right_lists(q, k, v, o, rest, head_dim, kv_heads)


def reversed_order(q, k, v, o, keep, head_dim, kv_heads):
    """the order was lost"""
    return right_lists(q, k, v, o, keep.flip(0), head_dim, kv_heads)


def queries_in_another_order(q, k, v, o, keep, head_dim, kv_heads):
    """the order was lost"""
    _, k_kept, v_kept, _ = right_lists(q, k, v, o, keep, head_dim, kv_heads)
    q_kept, _, _, o_kept = right_lists(q, k, v, o, keep.flip(0), head_dim, kv_heads)
    return q_kept, k_kept, v_kept, o_kept


def values_forgotten(q, k, v, o, keep, head_dim, kv_heads):
    """v stayed whole"""
    q, k, _, o = right_lists(q, k, v, o, keep, head_dim, kv_heads)
    return q, k, v, o


def only_k_and_v(q, k, v, o, keep, head_dim, kv_heads):
    """yours has 2"""
    return right_lists(q, k, v, o, keep, head_dim, kv_heads)[1:3]


def queries_begin_where_keys_do(q, k, v, o, keep, head_dim, kv_heads):
    """the blocks of q or o begin where those of k do"""
    size = len(q) // kv_heads
    queries = [head * head_dim + place for head in keep.tolist() for place in range(size)]
    keys = _rows(keep.tolist(), head_dim)
    return q[queries], k[keys], v[keys], o[:, queries]


def forgets_return(q, k, v, o, keep, head_dim, kv_heads):
    """is a return missing?"""
    right_lists(q, k, v, o, keep, head_dim, kv_heads)


def keys_first(q, k, v, o, keep, head_dim, kv_heads):
    """The slices are right, their order is not: return q, k, v, o"""
    q, k, v, o = right_masks(q, k, v, o, keep, head_dim, kv_heads)
    return k, q, v, o


def values_before_keys(q, k, v, o, keep, head_dim, kv_heads):
    """The slices are right, their order is not: return q, k, v, o"""
    q, k, v, o = right_masks(q, k, v, o, keep, head_dim, kv_heads)
    return q, v, k, o


def hidden_for_rows(q, k, v, o, keep, head_dim, kv_heads):
    """a row was named that is not there"""
    wide = q.shape[1] // kv_heads
    own, queries = (torch.tensor(_rows(keep.tolist(), rows)) for rows in (head_dim, wide))
    return q[queries], k[own], v[own], o[:, queries]


def not_written(q, k, v, o, keep, head_dim, kv_heads):
    """not written yet"""
    raise NotImplementedError()
