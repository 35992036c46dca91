"""What a person runs before class: `python -m labsupport doctor` and `python -m labsupport fetch`."""

import argparse
import sys

HELP = """\
examples:
  python -m labsupport doctor                      what this machine has, and how long a lab takes here
  python -m labsupport fetch                       the course model, ahead of class
  python -m labsupport fetch tinyllama-1.1b-chat   another model; wikitext2, ptb and c4 are texts

environment:
  PRUNING_LABS_MODEL   the course model: a name, or a folder that save_pretrained made
  PRUNING_LABS_TEXT    the course text
  PRUNING_LABS_CACHE   where the embedded model is kept
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command. 0 when it went well, 2 for what a person can mend, said in one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m labsupport",
        description="Look after this machine for the pruning labs.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("doctor", help="device, dtype, versions, cache, free disk, minutes a lab takes")
    getter = commands.add_parser("fetch", help="get a model or a text ahead of class")
    getter.add_argument("name", nargs="?", metavar="NAME", help="default: the course model")
    chosen = parser.parse_args(arguments)

    from labsupport.settings import LabError  # not above: --help need not wait for torch

    try:
        if chosen.command == "doctor":
            from labsupport.doctor import report

            print(report())
        else:
            fetch(chosen.name)
    except LabError as problem:
        print(problem, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted; nothing half-made was kept.", file=sys.stderr)
        return 130
    return 0


def fetch(name: str | None) -> None:
    """Get a model, or both parts of a text, and say where it is."""
    from labsupport import corpora, models

    if name in corpora.NAMES:
        for split in corpora.SPLITS:
            print(f"{name}, {split}: {len(corpora.text(name, split)):,} characters")
        return
    name = models.known(name)
    if name == models.TINY:
        print("tiny is made in memory: there is nothing to fetch")
        return
    print(f"{name}: looking, and fetching what is missing ...", flush=True)
    print(f"{name} is ready in {models.fetch(name)}")


if __name__ == "__main__":
    sys.exit(main())
