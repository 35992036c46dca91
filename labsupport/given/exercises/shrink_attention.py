"""5.5 shrink_attention, made from solutions/05_structured_pruning.py."""

import torch

def shrink_attention(q, k, v, o, keep: torch.Tensor, head_dim: int, kv_heads: int) -> tuple:
    """q, k, v and o with the key-value heads of `keep` alone and the query heads that they serve.

    q: [heads * head_dim, hidden]; k, v: [kv_heads * head_dim, hidden]; o: [hidden, heads * head_dim];
    keep: LongTensor of key-value heads, sorted. The numbers stay as they are, and so does their order.
    """

    def block(rows: int) -> torch.Tensor:
        return (keep[:, None] * rows + torch.arange(rows, device=keep.device)).flatten()

    own, queries = block(head_dim), block(len(q) // kv_heads)
    return q[queries], k[own], v[own], o[:, queries]
