"""`python -m benchmarks [NAME ...]`: one table of ratios, printed and written to a file."""

import argparse
import importlib
import sys

from benchmarks import table
from labsupport import __version__, console
from labsupport.errors import LabError

NAMES = (
    "classes", "growth", "perplexity", "ceiling", "selection", "pruning", "structured", "depth", "packing",
    "peers", "minutes", "records", "feedback", "cluster", "likeness", "card",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; what a person can mend is one sentence and a 2."""
    chosen = parser().parse_args(arguments)
    try:
        if unknown := [name for name in chosen.names if name not in NAMES]:
            raise LabError(f"There is no benchmark called '{unknown[0]}'. Known: {', '.join(NAMES)}.")
        for name in chosen.names or NAMES:
            print(f"{name} ...", file=sys.stderr, flush=True)
            table.keep(name, *importlib.import_module(f"benchmarks.{name}").run())
            content = table.text(*table.kept(NAMES))
            table.write(chosen.file, content)  # what is interrupted later keeps this
        print(content)
    except (LabError, OSError) as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    top.add_argument("--version", action="version", version=f"pruning-labs {__version__}")
    top.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    top.add_argument("--file", type=console.file_name, default=table.RESULTS, help="where the table goes")
    return top


if __name__ == "__main__":
    sys.exit(main())
