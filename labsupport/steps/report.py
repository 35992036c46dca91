"""`python -m labsupport report`: all measurements of some models in one page, beside the report's numbers.

It reads what the other steps wrote, measures nothing, and needs no torch.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import jinja2

from labsupport import reported
from labsupport.errors import LabError
from labsupport.steps import record

TEMPLATE = Path(__file__).with_name("report.html")


@dataclass(frozen=True)
class Value:
    """One number as text; key: what it is called in `reported.about`, empty if it is not in the report."""

    text: str
    key: tuple[str, str] | None = None


@dataclass(frozen=True)
class Cell:
    """One number of a model, and the report's number for the same weights; both may be empty."""

    ours: str
    theirs: str


def run(chosen: argparse.Namespace) -> None:
    """Write the page, and print where it is."""
    subjects = [record.seen(name) for name in chosen.models]
    must_be_a_page(chosen.html)
    record.write(chosen.html, page(subjects))
    print(f"Written: {chosen.html}")


def must_be_a_page(path: Path) -> None:
    """Raise LabError for a file that is there and is no page: no result is lost by a wrong name."""
    if not path.is_file():
        return  # there is none, or writing says why not
    with path.open("rb") as file:
        begins = file.read(64).strip().lower()
    if begins and not begins.startswith(b"<!doctype html>"):
        raise LabError(f"{path} is there already and is no page: name another file.")


def page(subjects: list[record.Subject]) -> str:
    """The page as HTML."""
    return render(subjects, table(subjects))


def render(subjects: list[record.Subject], rows: list[tuple[str, list[Cell]]]) -> str:
    """Rows of numbers, and the words around them, as HTML; every value is escaped."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        names=[subject.name for subject in subjects],
        rows=rows,
        made=[(subject, [sentence(step) for step in subject.steps]) for subject in subjects],
        conditions=conditions(subjects),
        tokens=reported.TOKENS,
    )


def current(subject: record.Subject) -> list[dict]:
    """The measurements of these weights; what was measured before the weights changed is left out."""
    return [entry for entry in record.entries(subject.place) if entry["weights"] == subject.weights]


def table(subjects: list[record.Subject]) -> list[tuple[str, list[Cell]]]:
    """Rows of a label and a cell for each model, in the order of the report's chapters."""
    ours: dict[str, dict[int, Value]] = {}
    measured = [(entry, column) for column, subject in enumerate(subjects) for entry in current(subject)]
    for entry, column in sorted(measured, key=lambda pair: ORDER.index(pair[0]["what"])):
        for label, value in VALUES[entry["what"]](entry["of"], entry["found"]):
            ours.setdefault(label, {})[column] = value
    if not ours:
        raise LabError("Nothing was measured of these models: `measure`, `perplexity` and `zeroshot` do so.")
    theirs = [reported.about(subject.weights, subject.steps) for subject in subjects]
    rows = []
    for label, values in ours.items():
        key = next((value.key for value in values.values() if value.key), None)
        cells = [
            Cell(values[column].text if column in values else "", shown(theirs[column], key))
            for column in range(len(subjects))
        ]
        rows.append((label, cells))
    return rows


def shown(numbers: dict, key: tuple[str, str] | None) -> str:
    """The report's number as text, empty if it has none."""
    if key is None or key not in numbers:
        return ""
    number = numbers[key]
    if key[0] == "macs":
        return f"{number / 1e9:.2f} G"
    if key[0] == "memory":
        return f"{number:,.2f} MiB"
    return f"{number:,}" if isinstance(number, int) else f"{number:.4f}"


# The numbers of one measurement, by kind


def of_measure(about: dict, found: dict) -> list[tuple[str, Value]]:
    """Parameters, MACs, memory and latency."""
    tokens = about["tokens"]
    compared = tokens == reported.TOKENS
    low, high = found["quartiles"]
    return [
        ("parameters", Value(f"{found['parameters']:,}", ("parameters", ""))),
        (f"MACs of Linear layers, {tokens} tokens",
         Value(f"{found['macs'] / 1e9:.3f} G", ("macs", "") if compared else None)),
        (f"peak memory, weights and a forward pass of {tokens} tokens",
         Value(f"{found['peak_bytes'] / 2**20:,.2f} MiB", ("memory", "") if compared else None)),
        (f"forward pass of {tokens} tokens (quartiles)",
         Value(f"{found['seconds'] * 1e3:,.1f} ms ({low * 1e3:,.1f} to {high * 1e3:,.1f})")),
    ]  # fmt: skip


def of_perplexity(about: dict, found: dict) -> list[tuple[str, Value]]:
    """One perplexity; the report's is by its protocol and window length alone."""
    compared = (about["protocol"], about["window"]) == (reported.PROTOCOL, reported.WINDOW)
    label = f"perplexity, {about['text']} ({about['protocol']}, windows of {about['window']:,})"
    return [(label, Value(f"{found['perplexity']:.4f}", ("perplexity", about["text"]) if compared else None))]


def of_zeroshot(about: dict, found: dict) -> list[tuple[str, Value]]:
    """The measures of one task with their standard errors; the report asked all documents."""
    task, limit = about["task"], about["limit"]
    numbers = found["results"][task]
    rows = []
    for name, value in numbers.items():
        measure, _, kind = name.partition(",")
        if kind != "none" or measure.endswith("_stderr") or not isinstance(value, float):
            continue
        error = numbers.get(f"{measure}_stderr,none")
        text = f"{value:.4f} ± {error:.4f}" if isinstance(error, float) else f"{value:.4f}"
        label = f"{task}, {measure} ({limit} documents)"
        rows.append((label, Value(text, (measure, task) if limit == "all" else None)))
    return rows


ORDER = ("measure", "perplexity", "zeroshot")
VALUES = {"measure": of_measure, "perplexity": of_perplexity, "zeroshot": of_zeroshot}


# The words around the numbers


def sentence(step: dict) -> str:
    """What a step of made.json did, in one sentence."""
    start = f"From {step['from']['model']}: "
    if step["step"] == "recover":
        during = step["held out"]
        return start + (
            f"LoRA of rank {step['rank']} on {step['data']}, {step['steps']:,} of {step['of']:,} steps of "
            f"{step['batch']}, learning rate {step['learning_rate']:g}; held-out loss "
            f"{during['before']:.4f} to {during['after']:.4f}."
        )
    calibration = step["calibration"]
    seen = ""
    if calibration:
        seen = (
            f", on {calibration['count']} windows of {calibration['length']} tokens of {calibration['text']}"
        )
    if "criterion" in step:
        first, end = step["layers"]
        what = f"ratio {step['ratio']:g} of layers {first} to {end - 1} removed by {step['criterion']}"
    else:
        pattern = f", pattern {':'.join(map(str, step['pattern']))}" if step["pattern"] else ""
        what = f"{step['sparsity']:.0%} of the weights set to zero by {step['method']}{pattern}"
    return f"{start}{what}{seen}."


def conditions(subjects: list[record.Subject]) -> list[str]:
    """Device, dtype and versions of the measurements, each once."""
    found = {
        f"{how['device']}, {how['dtype']}, torch {how['torch']}, transformers {how['transformers']}"
        + (f", lm-evaluation-harness {how['harness']}" if "harness" in how else "")
        for subject in subjects
        for how in (entry["how"] for entry in current(subject))
    }
    return sorted(found)
