"""Answers to bits_per_weight. A wrong one's docstring is the phrase that must name its mistake."""

from fractions import Fraction


def _checked(sparsity, pattern):
    if pattern not in ("dense", "bitmask", "2:4"):
        raise ValueError("pattern")
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    if pattern == "2:4" and sparsity != 0.5:
        raise ValueError("2:4")


def _bits(sparsity, bits, group, pattern, grid=None, places=None, share=None):
    """All three patterns, each of their numbers open to a mistake. places: by pattern."""
    _checked(sparsity, pattern)
    share = 1 - sparsity if share is None else share
    share = 1 if pattern == "dense" else share
    each = {"dense": 0, "bitmask": 1, "2:4": 2 * share} | (places or {})
    return share * bits + each[pattern] + (32 / group if grid is None else grid)


def right_by_pattern(sparsity, bits, group, pattern):
    return _bits(sparsity, bits, group, pattern)


def right_of_one_group(sparsity, bits, group, pattern):
    """The bits of a group, over its weights."""
    _checked(sparsity, pattern)
    left = group if pattern == "dense" else group * (1 - sparsity)
    total = left * bits + 2 * 16
    if pattern == "bitmask":
        total += group
    if pattern == "2:4":
        total += group // 4 * 2 * 2
    return total / group


def right_in_fractions(sparsity, bits, group, pattern):
    _checked(sparsity, pattern)
    left = 1 - Fraction(str(sparsity)) if pattern != "dense" else Fraction(1)
    extra = {"dense": 0, "bitmask": 1, "2:4": 2 * left}[pattern]
    return float(left * bits + extra + Fraction(32, group))


def no_grid(sparsity, bits, group, pattern):
    """scale and zero were forgotten"""
    return _bits(sparsity, bits, group, pattern, grid=0)


def scale_alone(sparsity, bits, group, pattern):
    """one number was counted for a group"""
    return _bits(sparsity, bits, group, pattern, grid=16 / group)


def float32_grids(sparsity, bits, group, pattern):
    """scale and zero were given 32 bits each"""
    return _bits(sparsity, bits, group, pattern, grid=64 / group)


def bytes_of_grids(sparsity, bits, group, pattern):
    """bytes were added to bits"""
    return _bits(sparsity, bits, group, pattern, grid=4 / group)


def grids_of_the_kept(sparsity, bits, group, pattern):
    """scale and zero were counted for kept weights alone"""
    share = 1 if pattern == "dense" else 1 - sparsity
    return _bits(sparsity, bits, group, pattern, grid=share * 32 / group)


def in_bytes(sparsity, bits, group, pattern):
    """the answer is in bytes"""
    return _bits(sparsity, bits, group, pattern) / 8


def of_a_group(sparsity, bits, group, pattern):
    """these are the bits of a whole group"""
    return _bits(sparsity, bits, group, pattern) * group


def rounded(sparsity, bits, group, pattern):
    """the number was rounded"""
    return round(_bits(sparsity, bits, group, pattern))


def nothing_saved(sparsity, bits, group, pattern):
    """nothing was saved"""
    _checked(sparsity, pattern)
    return bits + 32 / group


def zeros_too(sparsity, bits, group, pattern):
    """codes of dropped weights were stored as well"""
    right = _bits(sparsity, bits, group, pattern)
    return right if pattern == "dense" else right + sparsity * bits


def no_places(sparsity, bits, group, pattern):
    """the places are missing"""
    return _bits(sparsity, bits, group, pattern, places={"bitmask": 0, "2:4": 0})


def per_kept_weight(sparsity, bits, group, pattern):
    """the bits were divided by the kept weights"""
    right = _bits(sparsity, bits, group, pattern)
    return right if pattern == "dense" or sparsity == 1 else right / (1 - sparsity)


def density(sparsity, bits, group, pattern):
    """the sparsity was taken for the share that stays"""
    return _bits(sparsity, bits, group, pattern, share=sparsity)


def density_and_mask_of_the_kept(sparsity, bits, group, pattern):
    """the sparsity was taken for the share that stays"""
    _checked(sparsity, pattern)
    return bits * sparsity + 32 / group + {"dense": 0, "bitmask": sparsity, "2:4": 2 * sparsity}[pattern]


def density_of_the_grid_too(sparsity, bits, group, pattern):
    """the sparsity was taken for the share that stays"""
    _checked(sparsity, pattern)
    return sparsity * (bits + 32 / group) + (pattern != "dense")


def mask_of_the_kept(sparsity, bits, group, pattern):
    """only kept weights have a bit"""
    return _bits(sparsity, bits, group, pattern, places={"bitmask": 1 - sparsity})


def an_index_each(sparsity, bits, group, pattern):
    """each kept weight was given an index"""
    return _bits(sparsity, bits, group, pattern, places={"bitmask": 16 * (1 - sparsity)})


def a_place_each(sparsity, bits, group, pattern):
    """every weight was given 2 bits for its place"""
    return _bits(sparsity, bits, group, pattern, places={"2:4": 2})


def one_bit_a_place(sparsity, bits, group, pattern):
    """a place was given 1 bit"""
    return _bits(sparsity, bits, group, pattern, places={"2:4": 0.5})


def unknown_pattern(sparsity, bits, group, pattern):
    """an unknown pattern raises ValueError"""
    return _bits(sparsity, bits, group, pattern if pattern != "zip" else "dense")


def no_range_check(sparsity, bits, group, pattern):
    """a sparsity of 1.2 raises ValueError"""
    return _bits(min(max(sparsity, 0), 1), bits, group, pattern)


def above_one_alone(sparsity, bits, group, pattern):
    """a negative sparsity raises ValueError"""
    return _bits(max(sparsity, 0), bits, group, pattern)


def two_of_four_at_any_sparsity(sparsity, bits, group, pattern):
    """2:4 at 40 % raises ValueError"""
    return _bits(0.5 if pattern == "2:4" else sparsity, bits, group, pattern)


def as_text(sparsity, bits, group, pattern):
    """it is a str"""
    return f"{_bits(sparsity, bits, group, pattern):.2f}"


def forgets_return(sparsity, bits, group, pattern):
    """is a return missing?"""
    _bits(sparsity, bits, group, pattern)


def whole_share_of_the_grid(sparsity, bits, group, pattern):
    """// cut 32 // group to 0"""
    return right_by_pattern(sparsity, bits, group, pattern) - 32 / group + 32 // group


def not_written(sparsity, bits, group, pattern):
    """not written yet"""
    raise NotImplementedError()
