"""5.3 kv_group_importance, made from solutions/05_structured_pruning.py."""

import torch

def salience(weight: torch.Tensor, criterion: str, grad: torch.Tensor | None) -> torch.Tensor:
    """What every single weight is worth, float32, in the weight's shape: by "l1", "l2" or "taylor"."""
    weight = weight.float()
    if criterion == 'taylor':
        return (weight * grad.float()).abs()
    return weight.abs() if criterion == 'l1' else weight.square()

def kv_group_importance(
    q, k, v, o, head_dim: int, kv_heads: int, criterion: str, grads=None, generator=None
) -> torch.Tensor:
    """How much each key-value head matters, with the query heads that it serves: float32 [kv_heads].

    q: [heads * head_dim, hidden]; k, v: [kv_heads * head_dim, hidden]; o: [hidden, heads * head_dim].
    criterion, grads (of q, k, v and o) and generator as in channel_importance.
    """
    if criterion == "random":
        return torch.rand(kv_heads, generator=generator)
    pairs = zip((q, k, v, o), grads or (None,) * 4, strict=True)
    q, k, v, o = (salience(weight, criterion, grad) for weight, grad in pairs)
    vectors = (q.sum(dim=1), k.sum(dim=1), v.sum(dim=1), o.sum(dim=0))
    return sum(vector.view(kv_heads, -1).sum(dim=1) for vector in vectors)
