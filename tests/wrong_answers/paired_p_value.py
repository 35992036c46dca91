"""Answers to paired_p_value. A wrong one's docstring is the phrase that must name its mistake."""

import math
from fractions import Fraction

import torch
from scipy import stats


def _counts(before, after):
    return int((before & ~after).sum()), int((~before & after).sum())


def _tail(tosses, most):
    return sum(math.comb(tosses, heads) for heads in range(most + 1)) / 2**tosses


def right_tail_doubled(before, after):
    lost, won = _counts(before, after)
    return min(1.0, 2 * _tail(lost + won, min(lost, won)))


def right_scipy(before, after):
    lost, won = _counts(before, after)
    return float(stats.binomtest(lost, lost + won).pvalue) if lost + won else 1.0


def right_both_tails(before, after):
    lost, won = _counts(before, after)
    tosses, ways, uneven = lost + won, 1, 0
    for heads in range(tosses + 1):
        uneven += ways * (abs(2 * heads - tosses) >= abs(lost - won))
        ways = ways * (tosses - heads) // (heads + 1)
    return float(Fraction(uneven, 2**tosses))


def right_by_logarithms(before, after):
    lost, won = sorted(_counts(before, after))
    if lost == won:
        return 1.0
    tosses, total = lost + won, 0.0
    for heads in range(lost + 1):
        log = math.lgamma(tosses + 1) - math.lgamma(heads + 1) - math.lgamma(tosses - heads + 1)
        total += math.exp(log - (tosses - 1) * math.log(2))
    return total


def right_numpy_documents(before, after):
    before, after = before.cpu().numpy(), after.cpu().numpy()
    changed = before[before != after]
    few = int(min(changed.sum(), len(changed) - changed.sum()))
    return min(1.0, 2 * _tail(len(changed), few))


def one_sided(before, after):
    """one side was counted"""
    lost, won = _counts(before, after)
    return _tail(lost + won, min(lost, won))


def not_capped(before, after):
    """the middle was counted twice"""
    lost, won = _counts(before, after)
    return 2 * _tail(lost + won, min(lost, won))


def always_by_lost(before, after):
    """the tail was added up from the wrong end"""
    lost, won = _counts(before, after)
    return min(1.0, 2 * _tail(lost + won, lost))


def always_by_won(before, after):
    """the tail was added up from the wrong end"""
    lost, won = _counts(before, after)
    return min(1.0, 2 * _tail(lost + won, won))


def this_split_alone(before, after):
    """this very split was counted"""
    lost, won = _counts(before, after)
    return min(1.0, 2 * math.comb(lost + won, lost) / 2 ** (lost + won))


def range_ends_early(before, after):
    """the split itself was left out"""
    lost, won = _counts(before, after)
    return min(1.0, 2 * _tail(lost + won, min(lost, won) - 1))


def all_documents(before, after):
    """every document was tossed for"""
    return min(1.0, 2 * _tail(len(before), min(_counts(before, after))))


def agreements(before, after):
    """the documents on which the two models agree were counted"""
    both, none = int((before & after).sum()), int((~before & ~after).sum())
    return min(1.0, 2 * _tail(both + none, min(both, none)))


def totals(before, after):
    """the right answers of each model were counted"""
    first, second = int(before.sum()), int(after.sum())
    return min(1.0, 2 * _tail(first + second, min(first, second)))


def nothing_for_no_change(before, after):
    """0 was returned where no answer changed"""
    return right_tail_doubled(before, after) if bool((before != after).any()) else 0.0


def chi_square(before, after):
    """replaced by a normal distribution"""
    lost, won = _counts(before, after)
    return math.erfc(abs(lost - won) / math.sqrt(2 * (lost + won))) if lost + won else 1.0


def yates(before, after):
    """replaced by a normal distribution"""
    lost, won = _counts(before, after)
    far = max(0, abs(lost - won) - 1)
    return math.erfc(far / math.sqrt(2 * (lost + won))) if lost + won else 1.0


def unpaired(before, after):
    """as if they came from different documents"""
    shares, n = [answers.double().mean().item() for answers in (before, after)], len(before)
    spread = sum(share * (1 - share) for share in shares) / (n - 1)
    return math.erfc(abs(shares[0] - shares[1]) / math.sqrt(2 * spread)) if spread else 1.0


def confidence(before, after):
    """this is 1 - p"""
    return 1 - right_tail_doubled(before, after)


def power_of_a_half(before, after):
    """nothing overflows: your function raised OverflowError"""
    lost, won = _counts(before, after)
    ways = sum(math.comb(lost + won, heads) for heads in range(min(lost, won) + 1))
    return min(1.0, 2 * ways * 0.5 ** (lost + won))


def factorials_of_floats(before, after):
    """nothing overflows"""
    lost, won = _counts(before, after)
    tosses, total = lost + won, 0.0
    for heads in range(min(lost, won) + 1):
        ways = 1.0
        for place in range(heads):
            ways *= (tosses - place) / (place + 1)
        total += ways
    return min(1.0, 2 * total * 0.5**tosses)


def nothing_differs(before, after):
    """the models differ on no document"""
    if bool((before == after).all()):
        return 0.0
    return right_tail_doubled(before, after)


def a_tensor(before, after):
    """.item() makes it a Python number"""
    return torch.tensor(right_tail_doubled(before, after), dtype=torch.float64)


def by_simulation(before, after):
    """so unevenly, or more"""
    lost, won = _counts(before, after)
    coins = torch.randint(2, (1000, lost + won), generator=torch.Generator().manual_seed(0))
    heads = coins.sum(dim=1)
    return ((2 * heads - lost - won).abs() >= abs(lost - won)).double().mean().item()


def in_place(before, after):
    """changed before in place"""
    found = right_tail_doubled(before, after)
    before &= ~after
    return found


def forgets_return(before, after):
    """is a return missing?"""
    right_tail_doubled(before, after)


def not_written(before, after):
    """not written yet"""
    raise NotImplementedError()
