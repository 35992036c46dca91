"""7.4 paired_p_value, made from solutions/07_zero_shot.py."""

import math
import torch

def paired_p_value(before: torch.BoolTensor, after: torch.BoolTensor) -> float:
    """How often fair coins split the changed answers so unevenly, or more: the two-sided exact sign test.

    before, after: bool [n], whether two models answer the same n documents rightly. The result is a
    probability, 1.0 where no answer differs. Source: McNemar 1947, with exact counts.
    """
    lost, won = int((before & ~after).sum()), int((~before & after).sum())
    changed = lost + won
    ways = sum(math.comb(changed, heads) for heads in range(min(lost, won) + 1))  # one end
    return min(1.0, 2 * ways / 2**changed)
