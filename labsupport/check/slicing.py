"""How slices of coupled matrices are judged: each slice of an answer is looked up among the dense ones."""

from collections.abc import Iterator

import torch

from labsupport.check import draws
from labsupport.check.compare import is_tensor
from labsupport.check.exercise import Case, Exercise, Part, Wrong
from labsupport.check.lab04 import first
from labsupport.check.wire import Opaque

TOGETHER = 'see section 5.4, "Rows out, columns in".'
HEADS = 'see section 5.5, "A group is a block of rows".'

AXIS = {"gate": 0, "up": 0, "down": 1, "q": 0, "k": 0, "v": 0, "o": 1}  # along which a structure goes
MLP_NAMES, ATTENTION_NAMES = ("gate", "up", "down"), ("q", "k", "v", "o")


def found(slices: torch.Tensor, dense: torch.Tensor, axis: int) -> list[int]:
    """Where each slice of an answer stands in the dense matrix, bit for bit; -1 for one that does not."""
    yours, theirs = slices.movedim(axis, 0), dense.movedim(axis, 0)
    if yours.shape[1:] != theirs.shape[1:] or slices.dtype != dense.dtype:
        return [-1] * len(yours)
    equal = (yours[:, None] == theirs[None]).all(dim=-1)  # [yours, theirs]
    return [int(row.float().argmax()) if bool(row.any()) else -1 for row in equal]


def mlp_cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "shrink_mlp")

    def case(
        title: str, hidden: int, channels: int, kept: int, draw=draws.normal, dtype=torch.float32
    ) -> Case:
        shapes = {"gate": (channels, hidden), "up": (channels, hidden), "down": (hidden, channels)}
        weights = {name: draw(source, *shape).to(dtype) for name, shape in shapes.items()}
        return Case(title, {**weights, "keep": _keep(source, channels, kept)})

    return [
        case("a small MLP, half of its channels kept", 5, 4, 2, draws.distinct),
        case("more channels than inputs", 6, 20, 13),
        case("one channel kept", 6, 5, 1),
        case("all channels kept", 4, 6, 6),
        case("half precision", 4, 8, 5, dtype=torch.float16),
    ]


def attention_cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "shrink_attention")

    def case(title: str, kv_heads: int, served: int, kept: int, head_dim: int, dtype=torch.float32) -> Case:
        rows, queries = kv_heads * head_dim, kv_heads * served * head_dim
        hidden = queries + source.randint(0, 3)
        shapes = {"q": (queries, hidden), "k": (rows, hidden), "v": (rows, hidden), "o": (hidden, queries)}
        weights = {name: draws.normal(source, *shape).to(dtype) for name, shape in shapes.items()}
        sizes = {"head_dim": head_dim, "kv_heads": kv_heads}
        return Case(title, {**weights, "keep": _keep(source, kv_heads, kept), **sizes})

    return [
        case("3 key-value heads that serve 2 query heads each, 2 of them kept", 3, 2, 2, 2),
        case("5 that serve 3 each, 3 kept", 5, 3, 3, 4),
        case("one of 4 kept", 4, 2, 1, 3),
        case("as many key-value heads as query heads", 6, 1, 4, 2),
        case("all kept", 3, 2, 3, 2),
        case("half precision", 4, 2, 2, 4, torch.float16),
    ]


def _keep(source, count: int, kept: int) -> torch.Tensor:
    """Sorted indices, neither the first nor the last ones where there is a choice."""
    ends = [list(range(kept)), list(range(count - kept, count))]
    while True:
        keep = sorted(source.sample(range(count), kept))
        if keep not in ends or kept == count:
            return torch.tensor(keep)


# Judging


def wanted(names: tuple[str, ...], inputs: dict) -> dict[str, list[int]]:
    """Which slices of each matrix must stay, in order: those of the kept channels or groups."""
    count = inputs.get("kv_heads", len(inputs[names[0]]))
    kept = set(inputs["keep"].tolist())
    sizes = {name: inputs[name].shape[AXIS[name]] for name in names}
    return {name: [i for i in range(size) if i * count // size in kept] for name, size in sizes.items()}


def parts(names: tuple[str, ...], inputs: dict, answer: dict) -> list[Part]:
    """What must hold of sliced matrices."""
    value, right = answer["value"], wanted(names, inputs)

    def typed() -> None:
        if not isinstance(value, tuple | list):
            kind = value.type_name if isinstance(value, Opaque) else type(value).__name__
            raise Wrong("your function returned None: is a return missing?" if value is None else
                        f"your function returned a {kind}")  # fmt: skip
        if len(value) != len(names):
            raise Wrong(f"yours has {len(value)}")
        for name, matrix in zip(names, value, strict=True):
            is_tensor(matrix, name)

    def shaped() -> None:
        for name, matrix in zip(names, value, strict=True):
            shape = list(inputs[name].shape)
            shape[AXIS[name]] = len(right[name])
            if list(matrix.shape) != shape:
                raise Wrong(f"yours is {tuple(matrix.shape)} for {name}", **_given(inputs))

    def of_type() -> None:
        for name, matrix in zip(names, value, strict=True):
            if matrix.dtype != inputs[name].dtype:
                raise Wrong(f"{name} is {matrix.dtype}, it was {inputs[name].dtype}")

    def holds(name: str) -> None:
        places = found(value[names.index(name)], inputs[name], AXIS[name])
        if places != right[name]:
            line = ("rows", "columns")[AXIS[name]]
            shown = ["?" if place < 0 else place for place in places]
            note = {"where ? is": f"none of the {line} of {name}"} if "?" in shown else {}
            raise Wrong(**_given(inputs), **{f"your {name} has {line}": shown}, **note)

    shapes = ", ".join(f"{name} {tuple(_cut(inputs[name], AXIS[name], right[name]))}" for name in names)
    what = "groups" if "q" in names else "channels"
    lines = {
        name: f"{name} has the {('rows', 'columns')[AXIS[name]]} of the kept {what}, in order"
        for name in names
    }
    return [
        Part(f"returns a tuple of {len(names)} tensors: {', '.join(names)}", typed),
        Part(f"shapes: {shapes}", shaped),
        Part("the type of the numbers is as it was", of_type),
        *(Part(lines[name], lambda name=name: holds(name)) for name in names),
    ]


def _cut(matrix: torch.Tensor, axis: int, places: list[int]) -> list[int]:
    shape = list(matrix.shape)
    shape[axis] = len(places)
    return shape


def _given(inputs: dict) -> dict:
    """The plain numbers of a case."""
    return {name: inputs[name] for name in ("keep", "head_dim", "kv_heads") if name in inputs}


def mlp_parts(inputs: dict, answer: dict) -> list[Part]:
    return parts(MLP_NAMES, inputs, answer)


def attention_parts(inputs: dict, answer: dict) -> list[Part]:
    return parts(ATTENTION_NAMES, inputs, answer)


# Mistakes


def shared_mistakes(names: tuple[str, ...], inputs: dict, answer: dict, pointer: str) -> Iterator[str]:
    """Mistakes of slicing, whatever is sliced: zeros, the rest, another order, one matrix left alone."""
    matrices, right = dict(zip(names, answer["value"], strict=True)), wanted(names, inputs)
    places = {name: found(matrices[name], inputs[name], AXIS[name]) for name in names}
    if places == right:
        return
    if all(matrices[name].shape == inputs[name].shape for name in names):
        if any(bool((matrices[name] == 0).any()) for name in names):
            yield (
                "It looks as if the others were set to zero. Zeros take as much memory and time as any "
                f"number: slices are smaller, {pointer}"
            )
        yield f"It looks as if nothing was removed, {pointer}"
    crossed = [name for name in names if _kept_along(matrices[name], inputs[name], 1 - AXIS[name])]
    if crossed:
        line, other = ("row", "column") if AXIS[crossed[0]] else ("column", "row")
        yield (
            f"It looks as if {line}s of {' and '.join(crossed)} were kept. There a structure owns a "
            f"{other}, {pointer}\nTry {crossed[0]}.shape before and after: which number should shrink?"
        )
    count = {name: inputs[name].shape[AXIS[name]] for name in names}
    if all(places[name] == [i for i in range(count[name]) if i not in right[name]] for name in names):
        yield f"It looks as if the others were kept: `keep` names what stays, {pointer}"
    if places != right and all(sorted(places[name]) == right[name] for name in names):
        yield f"It looks as if the order was lost: what stays keeps the order it had, {pointer}"
    whole = [name for name in names if matrices[name].shape == inputs[name].shape]
    rest = [name for name in names if name not in whole]
    if whole and all(places[name] == right[name] for name in rest):
        yield f"It looks as if {' and '.join(whole)} stayed whole: coupled ones shrink together, {pointer}"


def _kept_along(matrix: torch.Tensor, dense: torch.Tensor, axis: int) -> bool:
    smaller = matrix.shape[axis] < dense.shape[axis]
    return smaller and -1 not in found(matrix, dense, axis)


@first
def mlp_cause(inputs: dict, answer: dict) -> Iterator[str]:
    yield from shared_mistakes(MLP_NAMES, inputs, answer, TOGETHER)


@first
def attention_cause(inputs: dict, answer: dict) -> Iterator[str]:
    q, k, _, o = answer["value"]
    kv_heads, head_dim = inputs["kv_heads"], inputs["head_dim"]
    keep, heads = inputs["keep"].tolist(), len(inputs["q"]) // head_dim
    served = heads // kv_heads
    columns, rows = found(o, inputs["o"], 1), found(q, inputs["q"], 0)

    def of_heads(chosen: list[int]) -> list[int]:
        return [head * head_dim + place for head in chosen for place in range(head_dim)]

    if head_dim > 1 and found(k, inputs["k"], 0) == keep:
        yield (
            f"It looks as if `keep` was used on rows. It names key-value heads, of {head_dim} rows each, "
            f"{HEADS}"
        )
    if served > 1 and (len(rows) == len(k) or len(columns) == len(k)):
        yield (
            "It looks as if q or o lost as many heads as k. Each key-value head serves "
            f"{served} query heads, which go and stay with it, {HEADS}"
        )
    size = served * head_dim
    if served > 1 and [h * head_dim + i for h in keep for i in range(size)] in (rows, columns):
        yield (
            f"It looks as if the blocks of q or o begin where those of k do. Theirs are {size} long, so that "
            f"of key-value head 1 begins at {size}, {HEADS}"
        )
    turns = of_heads([head for head in range(heads) if head % kv_heads in keep])
    by_group = of_heads([group + kv_heads * turn for group in keep for turn in range(served)])
    grouped = wanted(ATTENTION_NAMES, inputs)
    if (rows, columns) != (grouped["q"], grouped["o"]) and {tuple(rows), tuple(columns)} & {
        tuple(turns),
        tuple(by_group),
    }:
        yield (
            f"It looks as if key-value head j served the query heads j, j + {kv_heads}, ... It serves "
            f"neighbours: {served} query heads in a row, {HEADS}"
        )
    yield from shared_mistakes(ATTENTION_NAMES, inputs, answer, HEADS)


MLP = Exercise("shrink_mlp", "5.4", mlp_cases, mlp_parts, mlp_cause)
ATTENTION = Exercise("shrink_attention", "5.5", attention_cases, attention_parts, attention_cause)
