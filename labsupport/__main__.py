"""The command line of the course for students: `python -m labsupport COMMAND`."""

import argparse
import sys
from pathlib import Path

from labsupport import console

HELP = """\
examples:
  python -m labsupport doctor                      this machine, and how long a lab takes on it
  python -m labsupport fetch                       the course model, ahead of class
  python -m labsupport fetch tinyllama-1.1b-chat   another model; wikitext2, ptb and c4 are texts
  python -m labsupport check notebooks/02_magnitude_pruning/02_magnitude_pruning.ipynb
                                                   what the Validate button says
  python -m labsupport plan tinyllama-1.1b-chat --ratio 0.3 --layers 4:18
                                                   a model's size after structured pruning
  python -m labsupport compare                     every method at one setting, in one table
  python -m labsupport progress                    every exercise, its points, and what is open
  python -m labsupport chat FOLDER                 a prompt: the course model and a pruned one, side by side

environment:
  PRUNING_LABS_DEVICE  cpu, cuda or cuda:1; by default a GPU that torch can use, else the CPU
  PRUNING_LABS_MODEL   the course model: a name, or a folder that save_pretrained made
  PRUNING_LABS_TEXT    the course text
  PRUNING_LABS_CACHE   where the embedded model is kept, and what the checks said last

exit status: 0 all went well; 1 (check) an exercise is not done yet; 2 the command failed,
and one sentence says why
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit status: 0 for success, 2 for a LabError, printed as one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m labsupport",
        description="Tools of the pruning labs outside the notebooks.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, help: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")

    command("doctor", help="device, dtype, versions, cache, free disk, minutes a lab takes")
    getter = command("fetch", help="get a model or a text ahead of class")
    getter.add_argument("name", nargs="?", metavar="NAME", help="default: the course model")
    checker = command("check", help="run a notebook in a fresh kernel and print a line for every exercise")
    checker.add_argument("notebook", type=Path, metavar="NOTEBOOK", help="the .ipynb file; it is not changed")
    planner = command("plan", help="the size of a model after structured pruning")
    planner.add_argument("model", metavar="MODEL", help="a name, a folder with a config.json, or that file")
    planner.add_argument("--ratio", type=float, required=True, help="share to remove of each layer, 0 to 1")
    planner.add_argument("--layers", metavar="A:B", help="layers A to B - 1 (default: all)")
    planner.add_argument(
        "--tokens", type=int, default=64, help="tokens that MACs are counted for (default: 64)"
    )
    planner.add_argument("--json", action="store_true", help="print JSON")
    comparer = command("compare", help="every method of the course at one setting, in one table")
    comparer.add_argument("model", nargs="?", metavar="MODEL", help="default: the course model")
    comparer.add_argument(
        "--results", type=Path, metavar="FILE", help="file for results; a second run continues from it"
    )
    comparer.add_argument("--tasks", nargs="+", metavar="TASK", help="zero-shot tasks (default: addresses)")
    comparer.add_argument("--limit", type=int, metavar="N", help="documents of a task (default: 48; 0: all)")
    comparer.add_argument("--steps", type=int, metavar="N", help="steps of LoRA training (default: 24)")
    comparer.add_argument("--json", action="store_true", help="print JSON")
    command("progress", help="every exercise, its points so far, and what is open")
    chatter = command("chat", help="a prompt at the terminal; two models answer side by side")
    chatter.add_argument("models", nargs="+", metavar="MODEL", help="one or two names, or folders of "
                         "save_pretrained; one alone stands beside the course model")  # fmt: skip
    chatter.add_argument(
        "--temperature", type=float, default=0.0, metavar="T", help="default: 0, the likeliest token"
    )
    console.never_fail()
    chosen = parser.parse_args(arguments)

    from labsupport.errors import LabError  # not at the top: --help must not wait for torch

    try:
        if chosen.command == "doctor":
            from labsupport.doctor import report

            print(report())
        elif chosen.command == "check":
            from labsupport.checking import report as checked

            text, fine = checked(chosen.notebook)
            print(text)
            return 0 if fine else 1
        elif chosen.command == "progress":
            from labsupport import standing

            print(standing.report())
        elif chosen.command == "chat":
            if len(chosen.models) > 2:
                raise LabError(f"Two models fit side by side, and here are {len(chosen.models)}.")
            if not chosen.temperature >= 0:
                raise LabError(f"temperature is {chosen.temperature:g}: it must be 0 or more.")
            from labsupport.chat import chat

            chat(chosen.models, chosen.temperature)
        elif chosen.command == "plan":
            plan(chosen)
        elif chosen.command == "compare":
            compare(chosen)
        else:
            fetch(chosen.name)
    except LabError as problem:
        print(problem, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted; no incomplete file was kept.", file=sys.stderr)
        return 130
    return 0


def plan(chosen: argparse.Namespace) -> None:
    """Print what structured pruning will leave of a model, as a table or as JSON."""
    from labsupport import models
    from labsupport.errors import LabError
    from labsupport.given import plans

    config = models.config(chosen.model)
    try:
        layers = plans.layer_range(chosen.layers, config.num_hidden_layers)
        found = plans.plan(config, chosen.ratio, layers, chosen.tokens)
    except ValueError as problem:
        raise LabError(f"{str(problem)[0].upper()}{str(problem)[1:]}.") from problem
    print(plans.as_json(found) if chosen.json else plans.as_text(found, chosen.tokens))


def compare(chosen: argparse.Namespace) -> None:
    """Run every method that the results lack, and print the table or JSON."""
    from labsupport import comparison

    given = {name: getattr(chosen, name) for name in ("limit", "steps") if getattr(chosen, name) is not None}
    setting = comparison.setting(chosen.model, tasks=tuple(chosen.tasks or ("addresses",)), **given)
    rows = comparison.compare(setting, chosen.results)
    print(comparison.as_json(setting, rows) if chosen.json else comparison.as_text(setting, rows))


def fetch(name: str | None) -> None:
    """Download a model, or both parts of a text, and print where it is stored."""
    from labsupport import corpora, models

    if name in corpora.NAMES:
        for split in corpora.SPLITS:
            print(f"{name}, {split}: {len(corpora.text(name, split)):,} characters")
        return
    name = models.known(name)
    if name == models.TINY:
        print("tiny is made in memory: there is nothing to download")
        return
    print(f"{name}: checking, and downloading what is missing ...", flush=True)
    print(f"{name} is ready in {models.fetch(name)}")


if __name__ == "__main__":
    sys.exit(main())
