"""The likely mistakes behind a wrong weight or mask of sparsegpt_layer, lab 09."""

from collections.abc import Callable, Iterator

import torch

from labsupport.check.judge.kit.causes import Cause, Named, first, see
from labsupport.check.judge.kit.open_columns import Inverses, chosen, damped, inverses, pools, replayed
from labsupport.check.judge.kit.score_masks import INVERTED

COLUMNS = see("9.3", "Column by column")
BLOCKS = see("9.3", "Blocks")
DAMPING = see("9.3", "Damping")
WANDA = (
    "the scores were Wanda's, w^2 times H_jj. What counts is what is left of a drop when the others make up "
    "for it: w^2 / [H^-1]_jj"
)
SQUARES = (
    "w or the pivot was squared once too often or too rarely: the score is w^2 / [H^-1]_jj, and an entry of "
    "the Cholesky factor is a root of that pivot"
)
AT_THE_CUT = (
    "It looks as if one weight more than k went: `score <= threshold`, where the threshold is entry k of the "
    "sorted scores, counted from 0, drops k + 1. So does the published code. Take k by topk, or entry "
    f"k - 1, {BLOCKS}"
)
Agree = Callable[[torch.Tensor, torch.Tensor], bool]
SLACK = 1e-4  # relative, of a score


def first_scores(inputs: dict) -> list[tuple[torch.Tensor, Named]]:
    """Scores [out, in] of the weight as it came in: the right ones for its first group, and wrong ones."""
    weight, hessian = inputs["weight"].double(), inputs["hessian"].double()
    h = damped(hessian, inputs["damp"])
    pivots = torch.stack([row[0] for row in inverses(h)])  # [in]
    whole = torch.linalg.inv(h).diagonal()  # [in]
    return [
        (weight.square() / pivots, "right"),
        (weight.square() * hessian.diagonal(), WANDA),
        (weight.square(), "the smallest magnitudes were dropped: H was not used in the mask"),
        (weight.square() / whole, "the scores take the diagonal of the whole inverse. The columns left of j "
         "are settled and cannot make up for j: the inverse that counts is that of H without them"),
        (weight.abs() / pivots, SQUARES),
        (weight.square() / pivots.sqrt(), SQUARES),
        (weight.square() * pivots, "the scores were multiplied by [H^-1]_jj: divide by it"),
        (weight / pivots.sqrt(), "the scores have a sign, so that large weights below zero went first: "
         "square them"),
        (weight.square() * h.diagonal(), WANDA),
        (-weight.square() / pivots, "the highest scores were dropped"),
    ]  # fmt: skip


def first_masks(inputs: dict, group: int, sparsity: float) -> list[tuple[torch.Tensor, Named]]:
    """The masks [out, group] of the first group, by each of these scores, and ranked inside rows."""
    found = []
    for score, said in first_scores(inputs):
        part = score[:, :group]
        found.append((_lowest_out(part.reshape(1, -1), sparsity).view(part.shape), said))
    right = first_scores(inputs)[0][0][:, :group]
    return [*found, (_lowest_out(right, sparsity), "rows")]


def _lowest_out(score: torch.Tensor, share: float) -> torch.Tensor:
    """Bool [pools, n], True = keep: the lowest share of each pool goes."""
    order = score.argsort(dim=1)[:, : round(share * score.shape[1])]
    return torch.ones_like(score, dtype=torch.bool).scatter(1, order, False)


def causes(inputs: dict, new: torch.Tensor, mask: torch.Tensor, group: int, agree: Agree) -> Iterator[Named]:
    """The mistakes that a weight and its mask, both [out, in], show."""
    right, *mistakes = _weights(inputs, mask, group)
    if not agree(new * mask, right[0]):
        for wrong, said in mistakes:
            if agree(new * mask, wrong * mask):
                yield f"It looks as if {said}"
    yield from _of_mask(inputs, new, mask, group)


def _of_mask(inputs: dict, new: torch.Tensor, mask: torch.Tensor, group: int) -> Iterator[Named]:
    """Mistakes in the choice; new, mask: [out, in]."""
    weight, pattern, each_row = inputs["weight"], inputs.get("pattern"), "pattern" in inputs
    (right, _), *others = first_scores(inputs)  # each [out, in]

    def fits(score: torch.Tensor, kept: torch.Tensor = mask, groups: int = 1, rows: bool = each_row) -> bool:
        """Whether the first groups of a mask drop the lowest of these scores."""
        both = zip(pools(score, group, rows), pools(kept, group, rows), strict=True)
        return all(chosen(one, other, SLACK) for one, other in list(both)[:groups])

    if bool((new[mask] == 0).all()) and bool((new[~mask] != 0).any()):
        yield INVERTED
    if pattern and pattern[1] != 2 * pattern[0]:
        n, m = pattern
        if bool((pools(mask, group, True)[0].sum(dim=1) == m - n).all()):
            said = f"It looks as if {n} of every {m} were dropped: n is the number that stays."
            yield Cause(said, "n dropped instead of kept")
    sparsity, both = inputs["sparsity"], pools(mask, group, each_row)
    if not each_row and all(int((~pool).sum()) == round(sparsity * pool.numel()) + 1 for pool in both):
        yield AT_THE_CUT
    if fits(right):
        late = f"chosen at the start. It is chosen when it begins: by then its weights have moved, {BLOCKS}"
        rows = inverses(damped(inputs["hessian"], inputs["damp"]))
        gone = [((~pool).sum(dim=1), pool.shape[1]) for pool in both]  # [pools], and of how many
        exact = all(
            bool((dropped == (pattern[1] - pattern[0] if pattern else round(sparsity * size))).all())
            for dropped, size in gone
        )
        if exact and fits(replayed(weight, mask, rows, group)[1], groups=len(both)):
            return  # the choice is right
        idle = [bool(pool.all()) and round(sparsity * pool.numel()) > 0 for pool in both]
        if not each_row and any(idle):
            yield f"It looks as if nothing goes in {sum(idle)} of {len(both)} blocks, {BLOCKS}"
        cut = [int((~pool).sum()) for pool in both]
        if not (each_row or exact) and cut == [int(sparsity * pool.numel()) for pool in both]:
            said = "It looks as if int() cut k down, or ceil() lifted what stays; round() k."
            yield Cause(said, "int instead of round")
        if each_row and fits(right, groups=len(both)):
            yield f"It looks as if every group was {late}"
        if not each_row and chosen(right.reshape(1, -1), mask.reshape(1, -1), SLACK):
            yield (
                "It looks as if the mask of the whole layer was chosen at the start, as it is where `block` "
                f"is not used. Each block is chosen when it is reached: by then its weights moved, {BLOCKS}"
            )
        if not each_row and fits(right, groups=len(both)):
            yield f"It looks as if the mask of every block was {late}"
        return
    counts = mask[:, :group].sum(dim=1)  # [out]
    if bool((counts == counts[0]).all()) and fits(right, rows=True):
        yield (
            "It looks as if each row dropped the same number, as in Wanda. Here all weights of a block "
            f"compete, whatever row they are in, {BLOCKS}"
        )
    for score, said in others:
        if fits(score):
            yield f"It looks as if {first(said).text}, {COLUMNS}"


def _weights(inputs: dict, mask: torch.Tensor, group: int) -> list[tuple[torch.Tensor, str]]:
    """The right weight [out, in] under a mask, those that each mistake gives, and its name."""
    weight = inputs["weight"].double()
    right = inverses(damped(inputs["hessian"].double(), inputs["damp"]))
    mistakes = [*wrong_inverses(inputs), *other_dampings(inputs)]
    return [
        (replayed(weight, mask, right, group)[0], "right"),
        (weight, f"the survivors did not move: this is the mask alone, {COLUMNS}"),
        *((replayed(weight, mask, rows, group)[0], said) for rows, said in mistakes),
    ]


def other_dampings(inputs: dict) -> Iterator[tuple[Inverses, str]]:
    """The inverses under other dampings than the given one, and their names."""
    hessian, damp = inputs["hessian"].double(), inputs["damp"]
    own = hessian.diagonal().mean()  # what damp is a share of
    for share, said in (
        (0.01, "damp was not used: 0.01 was taken"),
        (damp * hessian.mean() / own, "the mean of all entries of H was taken. It is that of its diagonal"),
        (damp * len(hessian), "damp was multiplied by the sum of H's diagonal. It is a share of its mean"),
        (damp * hessian.diagonal().max() / own, "the largest entry was taken. It is the diagonal's mean"),
    ):
        h = damped(hessian, float(share))
        if bool(torch.linalg.eigvalsh(h)[0] > 1e-6 * own):
            yield inverses(h), f"{said}, {DAMPING}"


def wrong_inverses(inputs: dict) -> list[tuple[Inverses, str]]:
    """What mistakes take for the inverses of the open columns, and their names."""
    hessian, block = inputs["hessian"].double(), inputs["block"]
    h = damped(hessian, inputs["damp"])  # [in, in]
    rows, whole, own = inverses(h), torch.linalg.inv(h), torch.linalg.cholesky(h, upper=True)

    def rest(times: Callable[[torch.Tensor], torch.Tensor | float]) -> Inverses:
        """The inverses with all their entries but the pivot multiplied by times(pivot)."""
        return [torch.cat([row[:1], row[1:] * times(row[0])]) for row in rows]

    found = [
        ([row[: block - j % block] for j, row in enumerate(rows)],
         "the errors of a block never reached the columns right of it. After each block these move, too, "
         f"by all of its errors at once, {BLOCKS}"),
        ([whole[j, j:] for j in range(len(whole))],
         "the inverse stayed that of all inputs. A column that is settled moves no more: the inverse that "
         f"counts is that of H without it, which is no part of the whole one, {COLUMNS}"),
        ([row * own[j, j] for j, row in enumerate(_rows(own))],
         f"H itself took the place of its inverse, {COLUMNS}"),
        (rest(lambda _: -1.0), f"the other weights moved the wrong way: the sign is minus, {COLUMNS}"),
        (rest(torch.sqrt), "an error was not divided by the factor's diagonal, or by the pivot of an inverse "
         f"in its place, {COLUMNS}"),
        (rest(torch.rsqrt), f"an error was divided by the factor's diagonal twice, {COLUMNS}"),
    ]  # fmt: skip
    if inputs["damp"] and bool(torch.linalg.eigvalsh(hessian)[0] > 1e-6 * hessian.diagonal().mean()):
        added = hessian + inputs["damp"] * torch.eye(len(hessian), dtype=torch.float64)
        found += [
            (inverses(hessian), f"the damping is missing, {DAMPING}"),
            (inverses(added), "damp itself was added. It is a share of the mean of H's diagonal, so that "
             f"it means the same for loud inputs and for quiet ones, {DAMPING}"),
        ]  # fmt: skip
    return found


def _rows(factor: torch.Tensor) -> Inverses:
    """The rows of an upper triangular matrix [in, in] from the diagonal on: [in - j] each."""
    return [row[j:] for j, row in enumerate(factor)]
