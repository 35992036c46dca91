"""`python -m labsupport zeroshot`: tasks of lm-evaluation-harness, each kept as soon as it is there."""

import argparse
import json
from importlib.metadata import version
from typing import Any

from labsupport import models, zeroshot
from labsupport.steps import answers, loading, record

PARTS = ("results", "versions", "n-shot", "higher_is_better", "n-samples", "configs")


def run(chosen: argparse.Namespace) -> None:
    """Run the tasks that were not run before on a model, and print the harness's own table of all."""
    zeroshot.must_know(chosen.tasks)
    zeroshot.must_be_a_limit(chosen.limit)
    subject = record.subject(chosen.model)
    how = record.conditions() | {"harness": version("lm_eval"), "shots": 0}
    model, tokenizer, found = None, models.tokenizer(subject.name), {}
    for task in chosen.tasks:
        about = {"task": task, "limit": chosen.limit or "all"}
        kept = record.known(subject, "zeroshot", about, how)
        if kept is None:
            print(f"{task} ...", flush=True)
            model = model or loading.load(subject.name)
            kept = measure(subject, about, how, model, tokenizer, chosen.limit)
        found[task] = kept
    print(table(found))


def measure(
    subject: record.Subject, about: dict, how: dict, model: Any, tokenizer: Any, limit: int | None
) -> dict:
    """Run one task and keep its full result: the numbers, and a file with a line for every document.

    While it runs, a file holds the answers so far; the same command goes on from there.
    """
    from lm_eval.utils import handle_non_serializable

    place = record.path_of(subject, "zeroshot", about)
    of = {**about, "weights": subject.weights, "how": record.lasting(how)}
    kept = answers.Answers(place.with_suffix(".answers"), of)
    if kept.count:
        print(f"{kept.count:,} requests of it were answered before.", flush=True)
    try:
        results, _, _ = zeroshot.run(model, tokenizer, [about["task"]], limit, kept.wrap)
    except KeyboardInterrupt as problem:
        if kept.count:
            problem.args = (f"{kept.count:,} answers of {about['task']} are kept: the same command goes on",)
        raise
    lines = [json.dumps(each, default=handle_non_serializable) for each in results["samples"][about["task"]]]
    samples = place.with_suffix(".jsonl")
    record.write(samples, "\n".join(lines) + "\n")
    numbers = {part: results[part] for part in PARTS if part in results} | {"documents": samples.name}
    numbers = json.loads(json.dumps(numbers, default=handle_non_serializable))
    record.keep(subject, "zeroshot", about, how, numbers)
    kept.file.unlink(missing_ok=True)
    return numbers


def table(found: dict[str, dict]) -> str:
    """The harness's own table of several tasks."""
    from lm_eval.utils import make_table

    merged: dict[str, dict] = {}
    for numbers in found.values():
        for part in PARTS:
            merged.setdefault(part, {}).update(numbers.get(part, {}))
    return make_table(merged).rstrip()
