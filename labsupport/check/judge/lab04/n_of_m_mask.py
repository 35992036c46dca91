"""Judges n_of_m_mask, exercise 4.4: n of every m neighbours along a row stay."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.compare import Wrong, drops_lowest
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.magnitudes import RANKS
from labsupport.check.judge.kit.score_masks import INVERTED, comparable, mask_parts

GROUPS = see("4.4", "Two of every four")
TIES = f"{GROUPS}\nTry a group of equal scores. Which sorts of torch promise an order among equals?"


def cases(seed: int) -> list[Case]:
    """Scores [out, in] on which groups of other entries, and other ties, give different masks."""
    source = draw.rng(seed, "n_of_m_mask")
    plain = draw.distinct(source, 3, 6).abs()  # [out, in]
    quiet_row, quiet_group = source.randrange(3), source.randrange(2)
    quiet = slice(3 * quiet_group, 3 * quiet_group + 3)
    plain[0, quiet] = plain[0, quiet].sort().values[[0, 2, 1]]  # whole rows drop its ends, strides the middle
    plain += 20.0 * (torch.arange(6) // 3 != quiet_group)  # both drop two of the three in this group
    plain[torch.arange(3) != quiet_row] += 40  # groups that run down the columns drop all of this row
    plain[:, 3 - 3 * quiet_group + source.randrange(3)] += 60  # the whole matrix all of it but this entry
    tied = draw.tied(source, 3, 8).abs()  # [out, in]
    tied[source.randrange(3)] = torch.tensor([2.0, 1.0, 2.0, 2.0, 1.0, 3.0, 1.0, 1.0])  # ties at every cut
    silent = draw.distinct(source, 3, 8).abs()  # [out, in]
    first = source.choice((0, 4))
    silent[:, [first + 1, first + 2, first + 3, 5 - first]] = 0  # of this group only the first is above 0
    uneven = draw.distinct(source, 4, 6).abs()  # [out, in]
    large = draw.normal(source, 16, 32).abs()  # [out, in]
    n, m = source.choice(((1, 4), (3, 4), (4, 8), (2, 8)))
    return [
        Case("2 of every 3 in a small matrix", {"score": plain, "n": 2, "m": 3}),
        Case("equal scores: the lower index stays", {"score": tied, "n": 2, "m": 4}),
        Case("equal scores everywhere", {"score": torch.ones(2, 8), "n": 1, "m": 4}),
        Case("scores of 0 count like others: exactly 2 of every 4 stay", {"score": silent, "n": 2, "m": 4}),
        Case("2 of every 4 in a larger matrix", {"score": large, "n": 2, "m": 4}),
        Case(f"{n} of every {m} in a larger matrix", {"score": large, "n": n, "m": m}),
        Case("n = m keeps every weight", {"score": plain, "n": 3, "m": 3}),
        Case(
            "6 inputs in groups of 4 raise ValueError", {"score": uneven, "n": 2, "m": 4}, raises="ValueError"
        ),
    ]


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the mask, bool [out, in]."""
    score, n, m, mask = inputs["score"], inputs["n"], inputs["m"], answer.value
    groups = score.numel() // m

    def shown() -> dict:
        kept = mask.reshape(-1, m).sum(dim=1).reshape(len(score), -1)  # [out, in / m]
        show = {"score": score, "your_mask": mask, "your_groups_keep": kept}
        return {**show, "expected": f"{n} of every {m} inputs"}

    def counted() -> None:
        if int(mask.sum()) != groups * n:
            raise Wrong(f"yours keeps {int(mask.sum())}", **shown())

    def even() -> None:
        if not bool((mask.reshape(-1, m).sum(dim=1) == n).all()):
            raise Wrong(**shown())

    def best() -> None:
        if not keeps_best(mask.reshape(-1, m), score.reshape(-1, m), n):
            raise Wrong(**shown())

    return [
        *mask_parts(score, answer),
        Part(f"{groups * n} of {score.numel()} weights kept, as {n} of every {m} asks", counted),
        Part(f"every {m} consecutive inputs of a row keep exactly {n}", even),
        Part("in each group those with the highest scores, at a tie those with the lower index", best),
    ]


def keeps_best(mask: torch.Tensor, score: torch.Tensor, n: int, lower_first: bool = True) -> bool:
    """Whether every row of a mask keeps n entries and no dropped entry is better than a kept one.

    Better is a higher score, or an equal one at a lower index (a higher one, if not `lower_first`).
    mask, score: [groups, m].
    """
    place = torch.arange(score.shape[-1])  # [m]
    nearer = place[:, None] < place if lower_first else place[:, None] > place  # [m, m]
    one, other = score[:, :, None], score[:, None, :]  # [groups, m, m] when compared
    better = (one > other) | ((one == other) & nearer)  # [groups, m, m]
    wrong = ~mask[:, :, None] & mask[:, None, :] & better  # [groups, m, m]
    return bool((mask.sum(dim=-1) == n).all()) and not bool(wrong.any())


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a wrong mask shows."""
    score, n, m, mask = inputs["score"], inputs["n"], inputs["m"], answer.value
    if not comparable(mask, score):
        return
    rows, width = score.shape
    scores, masks = score.reshape(-1, m), mask.reshape(-1, m)  # [groups, m]
    kept = masks.sum(dim=1, keepdim=True)  # [groups, 1]
    worst_kept = scores.masked_fill(~masks, torch.inf).amin(dim=1, keepdim=True)  # [groups, 1]
    best_gone = scores.masked_fill(masks, -torch.inf).amax(dim=1, keepdim=True)  # [groups, 1]
    experiment = f"Try mask.view(-1, {m}).sum(dim=1): every number should be {n}."
    if keeps_best(~masks, scores, n):
        yield Cause(f"{INVERTED}\n{experiment}", "inverted mask")
    if keeps_best(masks, scores, m - n):
        text = f"It looks as if {n} of every {m} were dropped: n is the number that stays, {GROUPS}"
        yield Cause(f"{text}\n{experiment}", "n dropped instead of kept")
    if keeps_best(masks, -scores, n) or keeps_best(masks, -scores, m - n):
        yield f"It looks as if the lowest scores were kept and the highest dropped, {GROUPS}"
    if keeps_best(masks, scores, n, lower_first=False):
        yield f"It looks as if the higher index stayed where scores are equal; the lower one does, {TIES}"
    if bool((kept == n).all() and (worst_kept >= best_gone).all()):
        yield f"It looks as if any index stayed where scores are equal; the lower one does, {TIES}"
    if torch.equal(masks, scores.argsort(dim=1, descending=True) < n):
        yield RANKS
    if bool((kept < n).any() and torch.equal(kept, (scores > 0).sum(dim=1, keepdim=True).clamp(max=n))):
        text = f"It looks as if no score of 0 stayed. Exactly {n} must stay, of zeros, too, {GROUPS}"
        yield Cause(f"{text}\n{experiment}", "no score of 0 stays")
    short, long = (kept < n).flatten(), (kept > n).flatten()  # [groups] each
    if bool((short & ((scores >= best_gone).sum(dim=1) > n) | (kept == n).flatten()).all()) and torch.equal(
        masks, scores > best_gone
    ):
        text = (
            f"It looks as if all that tie with the best that goes went. Exactly {n} must stay, equal or not, "
            f"{GROUPS}\n{experiment}"
        )
        yield Cause(text, "all that tie went")
    if bool((long & ((scores > worst_kept).sum(dim=1) < n) | (kept == n).flatten()).all()) and torch.equal(
        masks, scores >= worst_kept
    ):
        text = (
            f"It looks as if all that tie with place {n} of their group stayed. The format has room for "
            f"exactly {n}, {GROUPS}\n{experiment}"
        )
        yield Cause(text, "all that tie stayed")
    left = (masks == masks[:, :1]).all(dim=1)  # [groups], all of these stay or all go
    if bool(left.any()) and not bool(left.all()) and keeps_best(masks[~left], scores[~left], n):
        text = (
            "It looks as if some groups were left out: all of their inputs stay, or all go. Does a loop end "
            f"before the last group, or return inside?\n{experiment}"
        )
        yield Cause(text, "groups left out")
    if rows % m == 0 and keeps_best(mask.T.reshape(-1, m), score.T.reshape(-1, m), n):
        text = "It looks as if the groups run down the columns, over outputs; they run along a row"
        yield Cause(f"{text}, {GROUPS}\n{experiment}", "groups down the columns")
    if keeps_best(strided(mask, m), strided(score, m), n):
        text = (
            f"It looks as if inputs 0, {width // m}, ... make a group. Its {m} inputs are neighbours: "
            f"0 to {m - 1}, then {m} to {2 * m - 1}, {GROUPS}\n{experiment}"
        )
        yield Cause(text, "strided groups")
    if drops_lowest(mask, score, width - width * n // m):
        text = f"It looks as if each row was ranked at once, as in row_mask, without groups, {GROUPS}"
        yield Cause(f"{text}\n{experiment}", "rows ranked without groups")
    if drops_lowest(mask.flatten(), score.flatten(), score.numel() - score.numel() * n // m):
        text = f"It looks as if the whole matrix was ranked at once, without groups, {GROUPS}"
        yield Cause(f"{text}\n{experiment}", "ranked over the whole matrix")


def strided(matrix: torch.Tensor, m: int) -> torch.Tensor:
    """Groups of inputs j, j + w, j + 2w ... with w = in / m: [out, in] -> [groups, m]."""
    return matrix.reshape(len(matrix), m, -1).transpose(1, 2).reshape(-1, m)


EXERCISE = Exercise("n_of_m_mask", "4.4", cases, parts, cause)
