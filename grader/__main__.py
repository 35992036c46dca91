"""What an instructor types: `python -m grader COMMAND`."""

import argparse
import json
import sys
from pathlib import Path

from labsupport.settings import LabError

HELP = "Build, release and grade the pruning labs."


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status; what a person can mend is one sentence and a 2."""
    chosen = parser().parse_args(arguments)
    try:
        return chosen.run(chosen)
    except LabError as problem:
        print(problem, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted; what was finished is kept.", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m grader", description=HELP)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(run, help: str) -> argparse.ArgumentParser:
        one = commands.add_parser(run.__name__.rstrip("_"), help=help, description=run.__doc__)
        one.set_defaults(run=run)
        return one

    one = command(build, "solutions/*.py -> notebooks/")
    one.add_argument("labs", nargs="*", metavar="LAB")
    one.add_argument("--check", action="store_true", help="write nothing; exit 1 when notebooks/ differs by a byte")

    one = command(try_, "ask one function the hidden cases of its exercise")
    one.add_argument("exercise", metavar="EXERCISE")
    one.add_argument("file", metavar="FILE.py", type=Path)
    one.add_argument("--json", action="store_true", help="print the verdict as JSON")
    one.add_argument("--isolation", choices=("bwrap", "none"), default="bwrap")
    return top


def build(chosen) -> int:
    """Build the student notebooks from their sources, or see whether they are up to date."""
    from grader import build as builder

    if not chosen.check:
        builder.build(chosen.labs or None)
        return 0
    differences = builder.drift()
    print("\n".join(differences) or "The student notebooks are up to date.")
    return 1 if differences else 0


def try_(chosen) -> int:
    """Ask the function EXERCISE of a Python file the hidden cases. Exit 0: right, 1: wrong, 2: could not be asked."""
    from grader.trying import attempt
    from labsupport.check.verdict import RIGHT

    try:
        verdict = attempt(chosen.exercise, chosen.file, chosen.isolation)
    except LabError as problem:
        if chosen.json:
            print(json.dumps({"exercise": chosen.exercise, "status": "unasked", "passed": 0, "total": 0,
                              "message": str(problem)}))  # fmt: skip
            return 2
        raise
    print(json.dumps(verdict.as_json()) if chosen.json else verdict.message())
    return 0 if verdict.status == RIGHT else 1


if __name__ == "__main__":
    sys.exit(main())
