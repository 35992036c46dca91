"""SparseGPT by its definition, for the judges of lab 09: columns are settled from left to right.

Column j's drops are made up for by the columns right of it alone, so the inverse that counts is that of H
without the columns left of j. Here each of these inverses is computed by itself, in float64: no Cholesky
factor, no blocks of late updates.
"""

import torch

Inverses = list[torch.Tensor]  # for each column j the first row of the inverse of H[j:, j:]: [in - j]


def damped(hessian: torch.Tensor, damp: float) -> torch.Tensor:
    """Float64 [in, in]: H with `damp` times the mean of its diagonal added to the diagonal."""
    h = hessian.double()
    return h + damp * h.diagonal().mean() * torch.eye(len(h), dtype=torch.float64)


def inverses(h: torch.Tensor) -> Inverses:
    """The inverse of what is still open at each column; h: float64 [in, in], positive definite."""
    return [torch.linalg.inv(h[j:, j:])[0] for j in range(len(h))]


def replayed(
    weight: torch.Tensor, mask: torch.Tensor, rows: Inverses, group: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The weight after all drops of a mask, and the score of each weight as it stood when its group began.

    weight, mask: [out, in]; group: the number of columns that are chosen at one time. Float64 [out, in] both.
    """
    new, scores = weight.double().clone(), torch.zeros(weight.shape, dtype=torch.float64)  # [out, in]
    pivots = torch.stack([row[0] for row in rows])  # [in]
    for j, row in enumerate(rows):
        if j % group == 0:
            here = slice(j, j + group)
            scores[:, here] = new[:, here].square() / pivots[here]
        gone = ~mask[:, j]  # [out]
        new[gone, j : j + len(row)] -= (new[gone, j] / row[0])[:, None] * row  # [gone, open]
    return new * mask, scores


def error(weight: torch.Tensor, new: torch.Tensor, hessian: torch.Tensor) -> float:
    """The squared distance that a layer's outputs move: trace of (new - weight) H (new - weight)^T."""
    moved = new.double() - weight.double()  # [out, in]
    return float(((moved @ hessian.double()) * moved).sum())


def chosen(score: torch.Tensor, mask: torch.Tensor, slack: float) -> bool:
    """Whether no dropped score is above a kept one, along the last axis, up to a relative slack.

    score, mask: [..., n]; entries whose score is NaN may stay or go. How many are dropped is not looked at.
    """
    free = score.isnan()
    dropped = score.masked_fill(mask | free, -torch.inf).amax(dim=-1)  # [...]
    kept = score.masked_fill(~mask | free, torch.inf).amin(dim=-1)  # [...]
    return bool((dropped <= kept * (1 + slack)).all())


def pools(matrix: torch.Tensor, group: int, each_row: bool) -> list[torch.Tensor]:
    """By group, the entries that compete, as [pools, n]: all of the group, or those of each of its rows."""
    parts = matrix.split(group, dim=1)  # [out, group] each, the last one may be narrower
    return [part if each_row else part.reshape(1, -1) for part in parts]
