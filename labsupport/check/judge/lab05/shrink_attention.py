"""5.5 shrink_attention: the four matrices of attention with some of its KV groups alone."""

from collections.abc import Iterator

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw, slice_causes, slices
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.slices import ATTENTION_NAMES, found, wanted

HEADS = see("5.5", "A group is a block of rows")


def cases(seed: int) -> list[Case]:
    """Attention with several groupings, from one KV head kept to all of them."""
    source = draw.rng(seed, "shrink_attention")

    def case(title: str, kv_heads: int, served: int, kept: int, head_dim: int, dtype=torch.float32) -> Case:
        """q: [H * D, hidden]; k, v: [H_kv * D, hidden]; o: [hidden, H * D]; keep: [kept]."""
        rows, queries = kv_heads * head_dim, kv_heads * served * head_dim
        hidden = queries + source.randint(0, 3)
        shapes = {"q": (queries, hidden), "k": (rows, hidden), "v": (rows, hidden), "o": (hidden, queries)}
        weights = {name: draw.normal(source, *shape).to(dtype) for name, shape in shapes.items()}
        sizes = {"head_dim": head_dim, "kv_heads": kv_heads}
        return Case(title, {**weights, "keep": slices.keep(source, kv_heads, kept), **sizes})

    return [
        case("3 key-value heads that serve 2 query heads each, 2 of them kept", 3, 2, 2, 2),
        case("5 that serve 3 each, 3 kept", 5, 3, 3, 4),
        case("one of 4 kept", 4, 2, 1, 3),
        case("as many key-value heads as query heads", 6, 1, 4, 2),
        case("all kept", 3, 2, 3, 2),
        case("half precision", 4, 2, 2, 4, torch.float16),
    ]


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of q, k, v [kept heads * D, hidden] and o [hidden, kept heads * D]."""
    return slices.parts(ATTENTION_NAMES, inputs, answer)


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistakes of grouping that the slices show, then those of any slices."""
    matrices = slices.named(ATTENTION_NAMES, answer.value)
    if not matrices:
        return
    q, k, _, o = matrices.values()
    kv_heads, head_dim = inputs["kv_heads"], inputs["head_dim"]
    keep, heads = inputs["keep"].tolist(), len(inputs["q"]) // head_dim
    served = heads // kv_heads
    columns, rows = found(o, inputs["o"], 1), found(q, inputs["q"], 0)

    def of_heads(chosen: list[int]) -> list[int]:
        """The rows of these query heads."""
        return [head * head_dim + place for head in chosen for place in range(head_dim)]

    if head_dim > 1 and found(k, inputs["k"], 0) == keep:
        text = f"It looks as if `keep` was used on rows. It names key-value heads, of {head_dim} rows each, "
        yield Cause(text + HEADS, "keep used on rows")
    if (
        served > 1
        and len(k) in (len(q), o.shape[1])
        and found(k, inputs["k"], 0) == wanted(ATTENTION_NAMES, inputs)["k"]
    ):
        text = (
            "It looks as if q or o lost as many heads as k. Each key-value head serves "
            f"{served} query heads, which go and stay with it, {HEADS}"
        )
        yield Cause(text, "as few query heads as KV heads")
    size = served * head_dim
    if served > 1 and [h * head_dim + i for h in keep for i in range(size)] in (rows, columns):
        text = (
            f"It looks as if the blocks of q or o begin where those of k do. Theirs are {size} long, so that "
            f"of key-value head 1 begins at {size}, {HEADS}"
        )
        yield Cause(text, "blocks of q or o begin where those of k do")
    turns = of_heads([head for head in range(heads) if head % kv_heads in keep])
    by_group = of_heads([group + kv_heads * turn for group in keep for turn in range(served)])
    grouped = wanted(ATTENTION_NAMES, inputs)
    if (rows, columns) != (grouped["q"], grouped["o"]) and any(
        those in (turns, by_group) for those in (rows, columns)
    ):
        text = (
            f"It looks as if key-value head j served the query heads j, j + {kv_heads}, ... It serves "
            f"neighbours: {served} query heads in a row, {HEADS}"
        )
        yield Cause(text, "interleaved query heads")
    yield from slice_causes.causes(ATTENTION_NAMES, inputs, answer, HEADS)


EXERCISE = Exercise("shrink_attention", "5.5", cases, parts, cause)
