"""The one table: what was measured, the usual way, ours, their ratio, and how far it should reach."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import torch

from benchmarks.measure import ROOT
from grader.grade.local_pool import cores
from labsupport import settings
from labsupport.files import write_whole

RESULTS = ROOT / "benchmarks" / "RESULTS.md"
KEPT = ROOT / "build" / "benchmarks"  # the rows of earlier runs, so that one benchmark can be run again
HEADER = ("what", "baseline", "ours", "ratio", "goal")


@dataclass(frozen=True)
class Row:
    """One comparison; baseline and ours with their units, the ratio as the goal counts it."""

    what: str
    baseline: str
    ours: str
    ratio: float
    goal: str = ""


def machine() -> str:
    """What the numbers hold for."""
    device = settings.device().type
    where = torch.cuda.get_device_name() if device == "cuda" else "no GPU"
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{cores()} cores, {memory:.0f} GiB of memory, {where}, "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )


def keep(name: str, rows: list[Row], notes: list[str]) -> None:
    """Store what one benchmark found."""
    found = {"machine": machine(), "rows": [asdict(row) for row in rows], "notes": notes}
    write_whole(KEPT / f"{name}.json", json.dumps(found).encode())


def kept(names: Iterable[str]) -> tuple[list[Row], list[str]]:
    """The rows and notes of these benchmarks that were measured on this machine, in this order."""
    rows, notes = [], []
    for name in names:
        path = KEPT / f"{name}.json"
        if path.exists() and (found := json.loads(path.read_text()))["machine"] == machine():
            rows += [Row(**row) for row in found["rows"]]
            notes += found["notes"]
    return rows, notes


def text(rows: list[Row], notes: list[str]) -> str:
    """The table and its notes in Markdown, the columns aligned."""
    cells = [HEADER, *((row.what, row.baseline, row.ours, f"{row.ratio:.2f}", row.goal) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]

    def line(words) -> str:
        return "| " + " | ".join(word.ljust(width) for word, width in zip(words, widths, strict=True)) + " |"

    lines = [line(cells[0]), line("-" * width for width in widths), *map(line, cells[1:])]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            f"Measured on {machine()}.",
            "",
            *lines,
            "",
            *(f"- {note}" for note in notes),
            "",
        ]
    )


def write(path: Path, content: str) -> None:
    """Write the table whole, or leave the old one."""
    write_whole(Path(os.path.abspath(path)), content.encode())


def megabytes(count: float) -> str:
    return f"{count / 1e6:,.0f} MB"


def seconds(duration: float) -> str:
    return f"{duration * 1000:,.1f} ms" if duration < 1 else f"{duration:,.1f} s"
