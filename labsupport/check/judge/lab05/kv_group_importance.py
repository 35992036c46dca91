"""5.3 kv_group_importance: the score of each KV group of attention, by four criteria."""

from collections.abc import Iterator
from itertools import combinations

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw, importance, importance_causes
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.owners import Coupled, group_owners
from labsupport.check.judge.kit.slices import ATTENTION_NAMES

SERVED = see("5.3", "Who serves whom")


def cases(seed: int) -> list[Case]:
    """Grouped heads first, drawn so that no two mistakes look alike; then the ends of grouping."""
    source = draw.rng(seed, "kv_group_importance")

    def drawn(numbers, hidden: int, kv_heads: int, served: int, head_dim: int) -> dict[str, torch.Tensor]:
        """q [H * D, hidden], k, v [H_kv * D, hidden] and o [hidden, H * D]."""
        rows, queries = kv_heads * head_dim, kv_heads * served * head_dim
        shapes = ((queries, hidden), (rows, hidden), (rows, hidden), (hidden, queries))
        return {name: numbers(source, *shape) for name, shape in zip(ATTENTION_NAMES, shapes, strict=True)}

    def sized(weights: dict, kv_heads: int, head_dim: int) -> dict:
        return {**weights, "head_dim": head_dim, "kv_heads": kv_heads}

    course, slopes = sized(drawn(draw.normal, 20, 3, 3, 4), 3, 4), drawn(draw.normal, 20, 3, 3, 4)
    loud = {name: (weight * 60).half() for name, weight in drawn(draw.distinct, 3, 2, 2, 2).items()}
    own, alone = drawn(draw.normal, 12, 4, 1, 3), drawn(draw.normal, 12, 1, 4, 3)
    title = "l1, two key-value heads that serve two query heads each"
    small = draw.until(
        lambda: importance.case(title, sized(drawn(draw.distinct, 2, 2, 2, 2), 2, 2), "l1"),
        lambda case: importance_causes.apart(coupled(case.inputs), mistakes(case.inputs)),
    )

    def either() -> str:
        return source.choice(("l1", "l2"))

    return [
        small,
        importance.case("l2, three that serve three each", course, "l2"),
        importance.case("taylor, with gradients", course, "taylor", slopes),
        importance.case("as many key-value heads as query heads", sized(own, 4, 3), either()),
        importance.case("one key-value head that serves them all", sized(alone, 1, 3), either()),
        importance.case("l2 of half precision, its squares above 65504", sized(loud, 2, 2), "l2"),
        importance.random_case(course, source.randrange(10**6)),
    ]


def coupled(inputs: dict) -> Coupled:
    """q [H * D, hidden], k, v [H_kv * D, hidden] and o [hidden, H * D] of a case, with their owners."""
    return importance.coupled(ATTENTION_NAMES, _owners(inputs), inputs["kv_heads"], inputs)


def _owners(inputs: dict, interleaved: str = "") -> list[torch.Tensor]:
    """Owners in q, k, v and o of a case, interleaved as in group_owners."""
    heads = len(inputs["q"]) // inputs["head_dim"]
    return group_owners(heads, inputs["kv_heads"], inputs["head_dim"], interleaved)


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the scores [H_kv]."""
    where = "rows of q, k and v, columns of o"
    return importance.parts(ATTENTION_NAMES, "kv_heads", where, coupled(inputs), answer)


def mistakes(inputs: dict) -> importance_causes.Mistakes:
    """Scores [H_kv] that other owners or fewer matrices give, each with the sentence on the mistake."""
    of, kv_heads = coupled(inputs), inputs["kv_heads"]
    served = len(inputs["q"]) // len(inputs["k"])
    found: importance_causes.Mistakes = []
    if kv_heads > 1 and served > 1:
        for turns in ("qo", "q", "o"):
            text = (
                f"It looks as if key-value head j was scored with the heads j, j + {kv_heads}, ... of "
                f"{' and '.join(turns)}. It serves neighbours: with 6 query heads and 3 key-value heads, "
                f"head 0 serves 0 and 1, {SERVED}"
            )
            found.append((of.by(_owners(inputs, turns)), Cause(text, f"interleaved heads of {turns}")))
        text = (
            "It looks as if each key-value head was scored with one query head. It serves "
            f"{served} of them, {SERVED}"
        )
        found.append((_first_queries(inputs), Cause(text, "one query head for each KV head")))
    rows = [torch.arange(owner.numel()).view(owner.shape) % kv_heads for owner in of.owners]
    found.append(
        (
            of.by(rows),
            "It looks as if rows took turns. The head_dim rows of a head are neighbours, and so are the "
            f"heads of a group, {SERVED}",
        )
    )
    for chosen in (each for size in (1, 2, 3) for each in combinations(range(4), size)):
        absent = " and ".join(name for i, name in enumerate(ATTENTION_NAMES) if i not in chosen)
        found.append(
            (
                of.only(chosen),
                f"It looks as if {absent} did not count. With a key-value head go the query heads that it "
                f"serves, and their columns of o, {SERVED}",
            )
        )
    return found


def _first_queries(inputs: dict) -> torch.Tensor:
    """Scores [H_kv] if only the first H_kv query heads existed, one for each KV head."""
    rows, kv_heads = len(inputs["k"]), inputs["kv_heads"]

    def cut(q, k, v, o) -> tuple[torch.Tensor, ...]:
        """q to [H_kv * D, hidden] and o to [hidden, H_kv * D]."""
        return q[:rows], k, v, o[:, :rows]

    fewer = dict(zip(ATTENTION_NAMES, cut(*(inputs[name] for name in ATTENTION_NAMES)), strict=True))
    grads = {"grads": cut(*inputs["grads"])} if "grads" in inputs else {}
    owners = group_owners(kv_heads, kv_heads, inputs["head_dim"])
    return importance.coupled(ATTENTION_NAMES, owners, kv_heads, {**inputs, **fewer, **grads}).scores()


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistakes that the scores [H_kv] show."""
    if inputs["criterion"] != "random":
        yield from importance_causes.causes(coupled(inputs), mistakes(inputs), answer.value)


EXERCISE = Exercise("kv_group_importance", "5.3", cases, parts, cause)
