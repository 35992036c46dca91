"""Judging slices of coupled matrices: each slice is looked up in the dense matrix.

A slice is a row of gate, up, q, k or v, or a column of down or o.
"""

import random

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.ask.fingerprints import AXIS
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.compare import Wrong, is_tensor, kind
from labsupport.check.judge.kit.exercise import Part

MLP_NAMES, ATTENTION_NAMES = ("gate", "up", "down"), ("q", "k", "v", "o")
Places = dict[str, list[int]]  # weight -> index in the dense weight of each slice; -1 for none


def keep(source: random.Random, count: int, kept: int) -> torch.Tensor:
    """Sorted random indices, int64 [kept]; not only the first or the last ones if possible."""
    ends = [list(range(kept)), list(range(count - kept, count))]
    indices = draw.until(
        lambda: sorted(source.sample(range(count), kept)),
        lambda those: those not in ends or kept == count,
    )
    return torch.tensor(indices)  # [kept]


def found(slices: torch.Tensor, dense: torch.Tensor, axis: int) -> list[int]:
    """The index in `dense` of each bit-identical slice of an answer; -1 for a slice without one.

    slices: [any, any]; dense: [out, in], with indices along the axis. Returns [-1] for a matrix that cannot
    be slices of `dense`: of another type, with slices of another length, or with more slices.
    """
    yours, theirs = slices.movedim(axis, 0), dense.movedim(axis, 0)  # [slices, length] each
    fits = slices.dtype == dense.dtype and yours.shape[1] == theirs.shape[1]
    if not fits or len(yours) > len(theirs):
        return [-1]
    equal = (yours[:, None] == theirs[None]).all(dim=-1)  # [yours, theirs]
    return [int(row.float().argmax()) if bool(row.any()) else -1 for row in equal]


def wanted(names: tuple[str, ...], inputs: dict) -> Places:
    """The indices of the slices that each matrix must keep, in order."""
    count = inputs.get("kv_heads", len(inputs[names[0]]))
    kept = set(inputs["keep"].tolist())
    sizes = {name: inputs[name].shape[AXIS[name]] for name in names}
    return {name: [i for i in range(size) if i * count // size in kept] for name, size in sizes.items()}


def named(names: tuple[str, ...], value) -> dict[str, torch.Tensor]:
    """The matrices [any, any] of an answer by name; {} for another type or number of them."""
    fits = isinstance(value, tuple | list) and len(value) == len(names)
    if not fits or not all(isinstance(matrix, torch.Tensor) and matrix.dim() == 2 for matrix in value):
        return {}
    return dict(zip(names, value, strict=True))


def parts(names: tuple[str, ...], inputs: dict, answer: Answer) -> list[Part]:
    """The conditions on sliced matrices. names: of the matrices, in the order of the answer."""
    value, right = answer.value, wanted(names, inputs)

    def typed() -> None:
        if not isinstance(value, tuple | list):
            raise Wrong(kind(value, "your function returned"))
        if len(value) != len(names):
            raise Wrong(f"yours has {len(value)}")
        for name, matrix in zip(names, value, strict=True):
            is_tensor(matrix, name)

    def shaped() -> None:
        for name, matrix in zip(names, value, strict=True):
            if tuple(matrix.shape) != shapes[name]:
                raise Wrong(f"yours is {tuple(matrix.shape)} for {name}", **_given(inputs))

    def of_type() -> None:
        for name, matrix in zip(names, value, strict=True):
            if matrix.dtype != inputs[name].dtype:
                raise Wrong(f"{name} is {matrix.dtype}, it was {inputs[name].dtype}")

    def holds(name: str) -> None:
        places = found(value[names.index(name)], inputs[name], AXIS[name])
        if places != right[name]:
            lines = ("rows", "columns")[AXIS[name]]
            shown = ["?" if place < 0 else place for place in places]
            note = {"where ? is": f"none of the {lines} of {name}"} if "?" in shown else {}
            raise Wrong(**_given(inputs), **{f"your {name} has {lines}": shown}, **note)

    shapes = {name: _cut(inputs[name], AXIS[name], len(right[name])) for name in names}
    what = "groups" if "q" in names else "channels"
    titles = {
        name: f"{name} has the {('rows', 'columns')[AXIS[name]]} of the kept {what}, in order"
        for name in names
    }
    return [
        Part(f"returns a tuple of {len(names)} tensors: {', '.join(names)}", typed),
        Part(f"shapes: {', '.join(f'{name} {shape}' for name, shape in shapes.items())}", shaped),
        Part("the type of the numbers is as it was", of_type),
        *(Part(titles[name], lambda name=name: holds(name)) for name in names),
    ]


def _cut(matrix: torch.Tensor, axis: int, count: int) -> tuple[int, ...]:
    """The shape of a matrix [out, in] with only `count` slices along an axis."""
    rows, columns = matrix.shape
    return (rows, count) if axis else (count, columns)


def _given(inputs: dict) -> dict:
    """The plain numbers of a case."""
    return {name: inputs[name] for name in ("keep", "head_dim", "kv_heads") if name in inputs}
