"""`python -m labsupport zeroshot`: tasks of lm-evaluation-harness, each kept as soon as it is there."""

import argparse
import json
from importlib.metadata import version
from typing import Any

from labsupport import models, zeroshot
from labsupport.errors import LabError
from labsupport.steps import record

PARTS = ("results", "versions", "n-shot", "higher_is_better", "n-samples", "configs")


def run(chosen: argparse.Namespace) -> None:
    """Run the tasks that were not run before on a model, and print the harness's own table of all."""
    zeroshot.must_know(chosen.tasks)
    if chosen.limit is not None and chosen.limit < 1:
        raise LabError(f"The limit is {chosen.limit}: it must be at least 1.")
    subject = record.subject(chosen.model)
    how = record.conditions() | {"harness": version("lm_eval"), "shots": 0}
    model, tokenizer, found = None, models.tokenizer(subject.name), {}
    for task in chosen.tasks:
        about = {"task": task, "limit": chosen.limit or "all"}
        kept = record.known(subject, "zeroshot", about, how)
        if kept is None:
            print(f"{task} ...", flush=True)
            model = model or models.load(subject.name)
            kept = measure(subject, about, how, model, tokenizer, chosen.limit)
        found[task] = kept
    print(table(found))


def measure(
    subject: record.Subject, about: dict, how: dict, model: Any, tokenizer: Any, limit: int | None
) -> dict:
    """Run one task and keep its full result: the numbers, and a file with a line for every document."""
    from lm_eval.utils import handle_non_serializable

    results, _, _ = zeroshot.run(model, tokenizer, [about["task"]], limit)
    lines = [json.dumps(each, default=handle_non_serializable) for each in results["samples"][about["task"]]]
    samples = record.path_of(subject, "zeroshot", about).with_suffix(".jsonl")
    record.write(samples, "\n".join(lines) + "\n")
    numbers = {part: results[part] for part in PARTS if part in results} | {"documents": samples.name}
    numbers = json.loads(json.dumps(numbers, default=handle_non_serializable))
    record.keep(subject, "zeroshot", about, how, numbers)
    return numbers


def table(found: dict[str, dict]) -> str:
    """The harness's own table of several tasks."""
    from lm_eval.utils import make_table

    merged: dict[str, dict] = {}
    for numbers in found.values():
        for part in PARTS:
            merged.setdefault(part, {}).update(numbers.get(part, {}))
    return make_table(merged).rstrip()
