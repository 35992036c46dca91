"""Plain tables: of a model's layers, and of numbers side by side."""

import re

from torch import nn


def layer_table(model: nn.Module) -> str:
    """The layers that hold weights, with shapes and parameter counts; runs of equal layers share a line."""
    groups: dict[str, list[tuple[int, nn.Module]]] = {}
    seen: set[int] = set()
    for name, module in model.named_modules():
        weights = [weight for weight in module.parameters(recurse=False) if id(weight) not in seen]
        if not weights:
            continue
        seen.update(id(weight) for weight in weights)
        number = re.search(r"\.(\d+)\.", name)
        shapes = tuple(tuple(weight.shape) for weight in weights)
        key = re.sub(r"\.\d+\.", ".#.", name) + f" {shapes}"
        groups.setdefault(key, []).append((int(number[1]) if number else -1, module))
    rows = []
    for key, members in groups.items():
        name, shapes = key.split(" ", 1)
        first, last = members[0][0], members[-1][0]
        span = f"{first}-{last}" if last > first else str(first)
        each = sum(weight.numel() for weight in members[0][1].parameters(recurse=False))
        shape = shapes.strip("(),").replace(", ", " x ")
        rows.append([name.replace("#", f"({span})"), shape, f"{each:,}", str(len(members)), f"{each * len(members):,}"])
    total = sum(weight.numel() for weight in {id(w): w for w in model.parameters()}.values())
    rows.append(["total", "", "", "", f"{total:,}"])
    return columns(["layer", "shape", "each", "times", "parameters"], rows, left=2)


def columns(header: list[str], rows: list[list[str]], left: int = 1) -> str:
    """Text in columns, the first `left` of them flush left, the others flush right."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    texts = [
        "  ".join(cell.ljust(width) if i < left else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    ]
    return "\n".join([texts[0].rstrip(), "  ".join("-" * width for width in widths), *(line.rstrip() for line in texts[1:])])
