"""Judges sparsegpt_layer, exercise 9.3: one layer, column by column, its survivors moved."""

from collections.abc import Iterator
from typing import Any

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Named
from labsupport.check.judge.kit.compare import Wrong, is_mask, is_tensor, kind
from labsupport.check.judge.kit.correlated import layer, quiet
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.lines import some_of
from labsupport.check.judge.kit.open_columns import chosen, damped, error, inverses, pools, replayed
from labsupport.check.judge.kit.sparsegpt_causes import causes, first_masks

ROUNDING = 2e-3  # relative: float32 against float64, on matrices whose inverses have large entries


def cases(seed: int) -> list[Case]:
    """Layers of correlated inputs: blocks of all sizes, few tokens, dead inputs, and patterns."""
    source = draw.rng(seed, "sparsegpt_layer")
    small = draw.until(lambda: quiet(layer(source, 4, 8, 24, draw.distinct)), suits)
    large, odd = layer(source, 32, 64, 200), layer(source, 6, 10, 40)
    few, dead, fours = layer(source, 12, 24, 10), layer(source, 8, 16, 40), layer(source, 8, 16, 60)
    never = source.sample(range(16), 3)
    dead["hessian"][never] = dead["hessian"][:, never] = 0.0

    def case(title: str, of: dict, sparsity: float, block: int, *pattern: tuple[int, int]) -> Case:
        asked = {"weight": of["weight"], "hessian": of["hessian"], "sparsity": sparsity, "block": block}
        more = {"pattern": pattern[0]} if pattern else {}
        return Case(title, {**asked, "damp": of.get("damp", 0.01), **more})

    return [
        case("four rows of eight inputs, in one block", small, 0.5, 128),
        case("the same in two blocks", small, source.choice((0.3, 0.55)), 4),
        case("a block that does not divide the inputs", odd, 0.5, 4),
        case("64 inputs in blocks of 16", large, source.choice((0.4, 0.6)), 16),
        case("fewer tokens than inputs: H is singular", few, 0.5, 8),
        case("inputs that are always zero", dead, 0.5, 16),
        case("2 of every 4", fours, 0.5, 8, (2, 4)),
        case("1 of every 4", fours, 0.75, 16, (1, 4)),
        case("sparsity 0 leaves the weight as it is", odd, 0.0, 4),
        case("sparsity 1 drops every weight", odd, 1.0, 4),
        Case(
            "10 inputs in groups of 4 raise ValueError",
            {**odd, "sparsity": 0.5, "block": 8, "damp": 0.01, "pattern": (2, 4)},
            raises="ValueError",
        ),
    ]


def suits(inputs: dict) -> bool:
    """Whether each wrong way of choosing half of all eight columns gives another mask."""
    return draw.apart(first_masks(inputs, 8, 0.5), torch.equal)


def group_of(inputs: dict) -> int:
    """The number of columns that are chosen at one time."""
    return inputs["pattern"][1] if "pattern" in inputs else inputs["block"]


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the new weight and its mask, both [out, in]."""
    weight, hessian, sparsity = inputs["weight"], inputs["hessian"], inputs["sparsity"]
    pattern, group, value = inputs.get("pattern"), group_of(inputs), answer.value
    both: Any = value if isinstance(value, tuple | list) and len(value) == 2 else (None, None)
    new, mask = both  # [out, in] each
    live = hessian.diagonal() > 0  # [in]
    rows = inverses(damped(hessian, inputs["damp"]))

    def pair() -> None:
        if not isinstance(value, tuple | list):
            raise Wrong(kind(value, "your function returned"))
        if len(value) != 2:
            raise Wrong(f"yours has {len(value)}")

    def typed() -> None:
        is_tensor(new, "the weight")
        if new.dtype is not weight.dtype or new.shape != weight.shape:
            raise Wrong(f"yours is {new.dtype} of {tuple(new.shape)}")

    def masked() -> None:
        is_mask(mask)
        if mask.shape != weight.shape:
            raise Wrong(f"yours is {tuple(mask.shape)}")

    def finite() -> None:
        if not bool(new.isfinite().all()):
            raise Wrong("it holds inf or NaN")

    def counted() -> None:
        for place, pool in enumerate(pools(mask, group, pattern is not None)):
            wanted = pattern[1] - pattern[0] if pattern else round(sparsity * pool.shape[1])
            dropped = (~pool).sum(dim=1)  # [pools]
            if bool((dropped != wanted).any()):
                odd = int(dropped[dropped != wanted][0])
                where = f"of inputs {place * group} to {min(place * group + group, mask.shape[1]) - 1}"
                raise Wrong(f"{where} yours drops {odd} of {pool.shape[1]}, not {wanted}", your_mask=mask)

    def zeros() -> None:
        if left := int((new[~mask] != 0).sum()):
            raise Wrong(f"{some_of(left, int((~mask).sum()))} not", your_mask=mask, your_weight=new)

    def lowest() -> None:
        _, scores = replayed(weight, mask, rows, group)  # [out, in]
        free = torch.where(live, scores, torch.nan)  # a dead input's weights may go first, or not
        each_row = pattern is not None
        for score, pool in zip(pools(free, group, each_row), pools(mask, group, each_row), strict=True):
            if not chosen(score, pool, ROUNDING):
                raise Wrong(weight=weight, scores=scores, your_mask=mask)

    def less() -> None:
        yours, unmoved = error(weight, new, hessian), error(weight, weight * mask, hessian)
        if 0 < sparsity < 1 and not yours < unmoved:
            raise Wrong(f"yours is {yours:.6g}, that of your mask alone {unmoved:.6g}")

    def repaired() -> None:
        right, _ = replayed(weight, mask, rows, group)  # [out, in]
        if not agree(new[:, live], right[:, live]):
            raise Wrong(weight=weight, your_mask=mask, your_weight=new)

    what = f"{pattern[0]} of every {pattern[1]} inputs stay" if pattern else f"{sparsity:.0%} go"
    whose = f"in each row {what}" if pattern else f"of each block of {group} inputs {what}"
    return [
        Part("returns a pair, the new weight and the mask", pair),
        Part(f"the weight is {weight.dtype} of shape {tuple(weight.shape)}", typed),
        Part("the mask is torch.bool and has the shape of the weight", masked),
        Part("every weight is a finite number", finite),
        Part(f"{whose}, counted exactly", counted),
        Part("the dropped weights are exactly zero", zeros),
        Part("they have the lowest w^2 / [H^-1]_jj when their block or group begins", lowest),
        Part("the survivors moved: the output error is below that of the mask alone", less),
        Part("every survivor is where obs_drop puts it, drop by drop", repaired),
    ]


def agree(new: torch.Tensor, right: torch.Tensor) -> bool:
    """Whether two weights [out, in] are equal but for rounding."""
    return torch.allclose(new.double(), right, rtol=ROUNDING, atol=ROUNDING * float(right.abs().max()))


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a wrong weight or mask shows."""
    new, mask = answer.value
    if new.shape == mask.shape == inputs["weight"].shape and mask.dtype is torch.bool:
        yield from causes(inputs, new, mask, group_of(inputs), agree)


EXERCISE = Exercise("sparsegpt_layer", "9.3", cases, parts, cause)
