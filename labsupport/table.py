"""Plain-text tables: the layers of a model, and columns of numbers."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def layer_table(model: "nn.Module") -> str:
    """The layers that hold weights, with shapes and parameter counts; equal layers share a line.

    A weight that two layers share (tied embeddings) is counted once, where it comes first.
    """
    groups: dict[tuple, list[tuple[str, nn.Module]]] = {}  # (name, shapes) -> (layer number, module)
    seen: set[int] = set()
    for name, module in model.named_modules():
        weights = [weight for weight in module.parameters(recurse=False) if id(weight) not in seen]
        if not weights:
            continue
        seen.update(id(weight) for weight in weights)
        number = re.search(r"\.(\d+)\.", name)
        key = (re.sub(r"\.\d+\.", ".#.", name), tuple(tuple(weight.shape) for weight in weights))
        groups.setdefault(key, []).append((number[1] if number else "", module))
    rows = []
    for (name, shapes), members in groups.items():
        where = name.replace("#", ranges([number for number, _ in members]))
        shape = " + ".join(" x ".join(map(str, shape)) for shape in shapes)
        each = sum(weight.numel() for weight in members[0][1].parameters(recurse=False))
        rows.append([where, shape, f"{each:,}", str(len(members)), f"{each * len(members):,}"])
    total = sum(weight.numel() for weight in model.parameters())  # parameters() lists a shared weight once
    rows.append(["total", "", "", "", f"{total:,}"])
    return columns(["layer", "shape", "each", "times", "parameters"], rows, left=2)


def ranges(numbers: list[str]) -> str:
    """Sorted layer numbers as ranges: "(0-3,18-21)"; a single number has no parentheses."""
    if len(numbers) == 1:
        return numbers[0]
    runs: list[list[int]] = []
    for number in map(int, numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return f"({','.join(str(run[0]) if len(run) == 1 else f'{run[0]}-{run[-1]}' for run in runs)})"


def columns(header: list[str], rows: list[list[str]], left: int = 1) -> str:
    """Text in columns, the first `left` of them flush left, the others flush right."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]

    def line(cells: list[str]) -> str:
        padded = (
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    return "\n".join([line(header), "  ".join("-" * width for width in widths), *map(line, rows)])
