"""Three wrong answers to each exercise, and what its judge says: `python site/mistakes.py EXERCISE ...`.

The answers are those of tests/wrong_answers, by which the judges are tested. Prints JSON.
"""

import argparse
import importlib.util
import inspect
import json
import re
import warnings
from pathlib import Path

from grader.course import ROOT
from labsupport import __version__
from labsupport.check.ask.client import answer_here
from labsupport.check.judge import EXERCISES
from labsupport.check.judge.kit.judging import judge
from labsupport.check.judge.kit.verdict import Ending, Verdict

SHOWN = 3  # for each exercise
DOCSTRING = re.compile(r'^ +""".*?"""\n', re.MULTILINE | re.DOTALL)


def main(arguments: list[str] | None = None) -> None:
    """Print what is shown of these exercises, by name."""
    reader = argparse.ArgumentParser(prog="python site/mistakes.py", description=__doc__)
    reader.add_argument("--version", action="version", version=f"pruning-labs {__version__}")
    reader.add_argument("exercise", nargs="+", choices=EXERCISES, metavar="EXERCISE")
    print(json.dumps({name: shown(name) for name in reader.parse_args(arguments).exercise}))


def shown(name: str) -> list[dict[str, str]]:
    """The first answers whose mistake the judge names, each another one: headline, source, message."""
    named, others, seen = [], [], set()
    for function in answers(ROOT / "tests" / "wrong_answers" / f"{name}.py"):
        if len(named) == SHOWN:
            break
        verdict = judged(name, function)
        if verdict.status == Ending.RIGHT or verdict.mistake in seen:
            continue
        seen.add(verdict.mistake)
        (named if verdict.cause else others).append(
            {
                "headline": verdict.headline(),
                "source": DOCSTRING.sub("", inspect.getsource(function), count=1).rstrip(),
                "message": verdict.message(),
            }
        )
    return [*named, *others][:SHOWN]


def answers(path: Path) -> list:
    """The wrong answers of a file, in its order."""
    spec = importlib.util.spec_from_file_location(f"answers_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = [
        function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == spec.name and not name.startswith(("_", "right_", "not_written"))
    ]
    return sorted(found, key=lambda function: function.__code__.co_firstlineno)


def judged(name: str, function) -> Verdict:
    """The verdict on a function, on the public cases."""
    exercise = EXERCISES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return judge(exercise, exercise.cases(0), lambda case: answer_here(name, function, case.inputs))


if __name__ == "__main__":
    main()
