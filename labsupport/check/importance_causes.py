"""Which mistake scores of channels or key-value groups show: whose sums by other owners, or of what."""

from collections.abc import Callable, Iterator
from itertools import combinations

import torch

from labsupport.check.lab04 import first
from labsupport.check.owners import (
    WORTH,
    channel_owners,
    expected_scores,
    group_owners,
    near,
    owners_of,
    scores,
    tally,
)  # fmt: skip

COUPLED = 'see section 5.2, "What depends on what".'
CRITERIA = 'see section 5.2, "Four criteria".'
SERVED = 'see section 5.3, "Who serves whom".'


def shared_mistakes(weights, owners, count: int, inputs: dict, score: torch.Tensor) -> Iterator[str]:
    """Mistakes of the criterion, whatever the structure: signs, roots, means, gradients."""
    criterion, grads = inputs["criterion"], inputs.get("grads")
    if not bool(score.isfinite().all()):
        if weights[0].dtype is torch.float16:
            yield (
                "It looks as if half precision overflowed before the sum: squares above 65504 have no place "
                f"there, {CRITERIA}\nTry weight.float() before anything else."
            )
        return
    wide = [weight.double() for weight in weights]
    slopes = [grad.double() for grad in grads] if grads else wide

    def is_sum_of(worth: Callable) -> bool:
        entries = [worth(w, g) for w, g in zip(wide, slopes, strict=True)]
        return near(score, tally(entries, owners, count))

    right = scores(weights, owners, count, criterion, grads)
    signed = [w * g for w, g in zip(wide, slopes, strict=True)]
    if criterion == "l1" and is_sum_of(lambda w, _: w):
        yield f"It looks as if the weights' signs were kept: -4 is as far from zero as 4, {CRITERIA}"
    if criterion == "taylor":
        nets = [tally([entry], [owner], count) for entry, owner in zip(signed, owners, strict=True)]
        if near(score, sum(nets).abs()) or near(score, sum(net.abs() for net in nets)):
            yield (
                "It looks as if weight times gradient was summed first and the absolute value taken of the "
                f"sum: what is +3 and what is -3 cancels then. Here each product counts, {CRITERIA}"
            )
        if near(score, sum(nets)) or near(score, -sum(nets)):
            yield f"It looks as if signs were kept: each product counts by its absolute value, {CRITERIA}"
        if is_sum_of(lambda _, g: g.abs()):
            yield f"It looks as if gradients alone were summed. Taylor is weight times gradient, {CRITERIA}"
        if is_sum_of(lambda w, g: (w * g).square()):
            yield f"It looks as if the products were squared: their absolute values count, {CRITERIA}"
        if any(near(score, other) for other in _turned(weights, grads, owners, count)):
            yield (
                "It looks as if gradients met other weights than their own: grads come in the order of the "
                f"weights, {CRITERIA}"
            )
    for other in {"l1", "l2"} - {criterion}:
        if is_sum_of(WORTH[other]):
            yield f'It looks as if "{other}" was computed where "{criterion}" was asked for, {CRITERIA}'
    roots = [tally([w.square()], [owner], count).sqrt() for w, owner in zip(wide, owners, strict=True)]
    if criterion == "l2" and (near(score, right.sqrt()) or near(score, sum(roots))):
        yield (
            "It looks as if a root was taken. The name l2 stands for the sum of squares here, with no root: "
            f"squares of several matrices add up, {CRITERIA}\nTry score ** 2."
        )
    means = sum(
        tally([WORTH[criterion](w, g)], [owner], count) * count / w.numel()
        for w, g, owner in zip(wide, slopes, owners, strict=True)
    )
    factors = score.double() / right
    if near(factors, factors[:1].expand(count)) or near(score, means) or near(score, means / len(wide)):
        yield (
            "It looks as if means were taken instead of sums. All weights of a structure count alike, in "
            f"large matrices and in small ones, {CRITERIA}"
        )


def _turned(weights, grads, owners, count: int) -> Iterator[torch.Tensor]:
    """Scores with the gradients of two weights of one shape exchanged."""
    for i in range(len(weights)):
        for j in range(i):
            if weights[i].shape == weights[j].shape:
                order = list(range(len(weights)))
                order[i], order[j] = j, i
                yield scores(weights, owners, count, "taylor", [grads[place] for place in order])


def some(weights, owners, count: int, inputs: dict, chosen) -> torch.Tensor:
    """The scores if these matrices alone counted."""
    grads = inputs.get("grads")
    return scores(
        [weights[i] for i in chosen], [owners[i] for i in chosen], count, inputs["criterion"],
        [grads[i] for i in chosen] if grads else None,
    )  # fmt: skip


def channel_mistakes(inputs: dict) -> list[tuple[torch.Tensor, str]]:
    """The scores that other owners or fewer matrices give, and the sentence that names each mistake."""
    weights, grads = [inputs[name] for name in ("gate", "up", "down")], inputs.get("grads")
    channels, hidden = weights[0].shape
    owners = channel_owners(hidden, channels)
    missing = {
        (0,): "gate alone was scored", (0, 1): "down was forgotten", (0, 2): "up was forgotten",
        (1, 2): "gate was forgotten", (1,): "up alone was scored", (2,): "down alone was scored",
    }  # fmt: skip
    found = [
        (
            some(weights, owners, channels, inputs, chosen),
            f"It looks as if {what}. When a channel goes, a row of gate, a row of up and a column of down "
            f"go with it, so all three have a say, {COUPLED}",
        )
        for chosen, what in missing.items()
    ]
    if channels == hidden:
        row, column = torch.arange(channels)[:, None], torch.arange(channels)[None, :]
        turned = {
            (row, row, row): "the rows of down were summed. A channel is one of its inputs, so it owns a "
            f"column of down, {COUPLED}\nTry a gate of 3 x 2: down is 2 x 3 then.",
            (column, column, row): f"rows and columns were exchanged in all three, {COUPLED}",
            (column, column, column): "columns of gate and up were summed: a channel is one of their rows, "
            f"{COUPLED}",
        }
        found += [
            (scores(weights, other, channels, inputs["criterion"], grads), f"It looks as if {what}")
            for other, what in turned.items()
        ]
    return found


def group_mistakes(inputs: dict) -> list[tuple[torch.Tensor, str]]:
    """As channel_mistakes, for key-value groups."""
    names, kv_heads, grads = "qkvo", inputs["kv_heads"], inputs.get("grads")
    weights, owners = [inputs[name] for name in names], owners_of(inputs)
    served = len(weights[0]) // len(weights[1])

    def by(other: list[torch.Tensor]) -> torch.Tensor:
        return scores(weights, other, kv_heads, inputs["criterion"], grads)

    found = []
    if kv_heads > 1 and served > 1:
        found += [
            (
                by(owners_of(inputs, interleaved=turns)),
                f"It looks as if key-value head j was scored with the heads j, j + {kv_heads}, ... of "
                f"{' and '.join(turns)}. It serves neighbours: with 6 query heads and 3 key-value heads, "
                f"head 0 serves 0 and 1, {SERVED}",
            )
            for turns in ("qo", "q", "o")
        ]
        found.append(
            (
                _first_queries(weights, kv_heads, inputs),
                "It looks as if each key-value head was scored with one query head. It serves "
                f"{served} of them, {SERVED}",
            )
        )
    found.append(
        (
            by([torch.arange(owner.numel()).view(owner.shape) % kv_heads for owner in owners]),
            "It looks as if rows took turns. The head_dim rows of a head are neighbours, and so are the "
            f"heads of a group, {SERVED}",
        )
    )
    for size in (1, 2, 3):
        for chosen in combinations(range(4), size):
            absent = " and ".join(names[i] for i in range(4) if i not in chosen)
            found.append(
                (
                    some(weights, owners, kv_heads, inputs, chosen),
                    f"It looks as if {absent} had no say. With a key-value head go the query heads that it "
                    f"serves, and their columns of o, {SERVED}",
                )
            )
    return found


def telling(mistakes: list[tuple[torch.Tensor, str]], right: torch.Tensor) -> bool:
    """Whether all mistakes give scores of their own, so that an answer shows which of them it made."""
    every = [tuple(other.tolist()) for other, _ in mistakes] + [tuple(right.tolist())]
    return len(set(every)) == len(every)


@first
def channel_cause(inputs: dict, answer: dict) -> Iterator[str]:
    weights, score = [inputs[name] for name in ("gate", "up", "down")], answer["value"]
    channels, hidden = weights[0].shape
    owners = channel_owners(hidden, channels)
    right = expected_scores("gate up down", owners, channels, inputs)
    if right is None or near(score, right):
        return
    yield from (sentence for other, sentence in channel_mistakes(inputs) if near(score, other))
    yield from shared_mistakes(weights, owners, channels, inputs, score)


@first
def group_cause(inputs: dict, answer: dict) -> Iterator[str]:
    weights, score = [inputs[name] for name in "qkvo"], answer["value"]
    owners, kv_heads = owners_of(inputs), inputs["kv_heads"]
    right = expected_scores("q k v o", owners, kv_heads, inputs)
    if right is None or near(score, right):
        return
    yield from (sentence for other, sentence in group_mistakes(inputs) if near(score, other))
    yield from shared_mistakes(weights, owners, kv_heads, inputs, score)


def _first_queries(weights, kv_heads: int, inputs: dict) -> torch.Tensor:
    """The scores if only the first kv_heads query heads existed, one for each key-value head."""
    rows = len(weights[1])
    cut = [weights[0][:rows], weights[1], weights[2], weights[3][:, :rows]]
    grads = inputs.get("grads")
    fewer = grads and [grads[0][:rows], grads[1], grads[2], grads[3][:, :rows]]
    owners = group_owners(kv_heads, kv_heads, inputs["head_dim"])
    return scores(cut, owners, kv_heads, inputs["criterion"], fewer)
