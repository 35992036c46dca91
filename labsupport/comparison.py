"""The final table of the course: every method at one setting, measured in the same way.

Each method starts from the dense model. Each row is stored as soon as it is measured, so that an
interrupted run resumes where it stopped.
"""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import transformers

from labsupport import corpora, cost, linears, models, reported, results, settings, zeroshot
from labsupport.errors import LabError
from labsupport.fetch import cache
from labsupport.given.input_norms import input_norms
from labsupport.given.perplexity import perplexity
from labsupport.graded import being_graded
from labsupport.memory import give_back
from labsupport.methods import METHODS, UNTIL_LAB_08
from labsupport.steps import record
from labsupport.table import columns

__all__ = ["METHODS", "UNTIL_LAB_08", "Bench", "Row", "Setting", "compare", "setting"]


@dataclass(frozen=True)
class Setting:
    """The parameters shared by all methods. model, text: names; limit: documents per task."""

    model: str
    text: str
    sparsity: float  # for the methods that set weights to zero
    ratio: float  # for the methods that remove structures
    layers: tuple[int, int]  # the decoder layers that structured pruning shrinks: [first, end)
    steps: int  # of LoRA training
    tasks: tuple[str, ...]
    limit: int | None


@dataclass(frozen=True)
class Row:
    """Quality and cost of one method."""

    method: str
    sparsity: float  # share of the decoder's Linear weights that are zero or removed
    perplexity: float
    accuracy: float  # mean over the tasks
    accuracy_stderr: float
    parameters: int  # stored, zeros included
    macs: int  # of all Linear layers, for one text of TOKENS
    memory: int  # bytes: weights plus the peak of one forward pass over such a text
    seconds: float  # median of one such pass
    dense_seconds: float  # median of the dense model, measured in turns with this one

    @property
    def bits(self) -> float:
        """Bits a weight of the dense decoder in a file: 16 for each value, and what says where it stands."""
        if "2:4" in self.method:
            return (1 - self.sparsity) * (16 + 2)
        places = 0 if self.method == "dense" or self.is_smaller else 1  # a bit for each weight
        return (1 - self.sparsity) * 16 + places

    @property
    def is_smaller(self) -> bool:
        """Whether the method removes weights, and leaves no zeros."""
        return self.method.startswith("blocks")


TOKENS = 128  # length of the text for MACs, memory and time
REPEATS = 7  # forward passes per median
TRAINING_WINDOW = 256  # tokens


def setting(
    model: str | None = None, tasks: tuple[str, ...] = ("addresses",), limit: int = 48, steps: int = 24
) -> Setting:
    """The setting of a model: half of the weights, or 30 % of all blocks but the first and last four.

    For TinyLlama these are the report's layers, 4 to 17. limit 0: all documents.
    """
    now = settings.current()
    name = models.known(model)
    count = models.config(name).num_hidden_layers
    if limit < 0 or steps < 1:
        raise LabError(f"limit is {limit} and steps is {steps}: they must be 0 or more, and 1 or more.")
    layers = (4, count - 4) if count > 12 else (0, count)
    return Setting(name, now.text, 0.5, 0.3, layers, steps, tasks, limit or None)


def compare(chosen: Setting, place: Path | None = None, methods: list[str] | None = None) -> list[Row]:
    """One row per method, in the order of METHODS; rows stored at `place` are not measured again.

    place: a JSON file, by default in the course's cache. Under grading no method runs: that would take
    minutes per submission, and no point depends on it. Raises LabError for an unknown method, and for a
    file that is damaged or belongs to another setting.
    """
    wanted = list(METHODS) if methods is None else methods
    if unknown := [name for name in wanted if name not in METHODS]:
        raise LabError(f"There is no method called '{unknown[0]}'. Known: {', '.join(METHODS)}.")
    about = about_setting(chosen)
    if unknown := [name for name in chosen.tasks if name not in zeroshot.NAMES]:
        raise LabError(f"There is no task called '{unknown[0]}'. Known: {', '.join(zeroshot.NAMES)}.")
    place = place or cache.own() / "comparisons" / f"{results.digest(about)}.json"
    rows = {row.method: row for row in results.read(place, about, Row)}
    missing = [name for name in wanted if name not in rows]
    if missing and not being_graded():
        bench = Bench(chosen)
        for number, name in enumerate(missing, start=1):
            print(f"{number} of {len(missing)}: {name} ...", flush=True)
            rows[name] = bench.row(name)
            results.write(place, about, list(rows.values()))
    return [rows[name] for name in METHODS if name in wanted and name in rows]


class Bench:
    """The texts, and the measurement of a pruned model; a dense one is loaded beside it for a moment."""

    def __init__(self, chosen: Setting):
        now = settings.current()
        self.chosen = chosen
        self.tokenizer = models.tokenizer(chosen.model)
        self.evaluation = corpora.windows(
            chosen.text, self.tokenizer, "evaluation", now.window, now.evaluation_windows
        )
        self.calibration = corpora.windows(
            chosen.text, self.tokenizer, "calibration", now.window, now.calibration_windows
        )
        self.batches = list(self.calibration[:, None])

    @cached_property
    def norms(self) -> dict[str, torch.Tensor]:
        """The input norms of the dense model, by layer: [in_features] each."""
        return input_norms(models.load(self.chosen.model), self.batches)

    def training(self) -> list[torch.Tensor]:
        """Training batches for LoRA, one window each, from the calibration years."""
        windows = corpora.windows(
            self.chosen.text, self.tokenizer, "calibration", TRAINING_WINDOW, self.chosen.steps
        )
        return list(windows[:, None])

    def made(self, method: str):
        """A fresh model, after the steps of a method."""
        model = models.load(self.chosen.model)
        for step in METHODS[method]:
            step(self, model)
        linears.sparse_on_purpose(model)
        return model

    def row(self, method: str) -> Row:
        """Prune a fresh model, and measure it."""
        from labsupport.given import macs  # withheld while lab 08 is graded

        give_back()
        model = self.made(method)
        scores = self._scores(model)
        text = self.evaluation[:1, :TOKENS].to(model.device)
        run = torch.no_grad()(lambda m: m(text, use_cache=False))
        run(model)  # the first call loads code
        _, peak = cost.peak_memory(lambda: run(model) and None)
        dense = models.load(self.chosen.model)
        times = cost.latencies({"this": lambda: run(model), "dense": lambda: run(dense)}, REPEATS)
        dense_size, left = (_nonzero(m) for m in (dense, model))
        return Row(
            method=method,
            sparsity=1 - left / dense_size if method != "dense" else 0.0,
            perplexity=perplexity(model, self.evaluation),
            accuracy=sum(s.acc for s in scores) / len(scores),
            accuracy_stderr=sum((s.acc_stderr or 0.0) ** 2 for s in scores) ** 0.5 / len(scores),
            parameters=sum(weight.numel() for weight in model.parameters()),
            macs=macs.model_macs(model, text.shape[1]),
            memory=cost.weight_bytes(model) + peak,
            seconds=times["this"][0],
            dense_seconds=times["dense"][0],
        )

    def _scores(self, model) -> list:
        found = zeroshot.evaluate(model, self.tokenizer, list(self.chosen.tasks), self.chosen.limit)
        return list(found.values())


def _nonzero(model) -> int:
    """The number of the decoder's Linear weights that are not zero."""
    return sum(int((linear.weight != 0).sum()) for linear in linears.pruned_linears(model).values())


# Output


# The report's perplexity on wikitext2, the mean of its five tasks, parameters, MACs at 64 tokens, and its
# "memory requirement". Its "before" of 77.32 GMac counts k_proj and v_proj too wide.
def _reported(method: str) -> dict:
    which = method.removeprefix("blocks, ")
    found: dict = {"parameters": reported.PARAMETERS["dense" if which == "dense" else "pruned"]}
    if which in reported.PERPLEXITY:
        found["perplexity"] = reported.PERPLEXITY[which][0]
    if which in reported.MACS:
        scores = [measures["acc"][which != "dense"] for _, _, measures in reported.ZERO_SHOT.values()]
        found["accuracy"] = sum(scores) / len(scores)
        found |= {"macs": reported.MACS[which], "memory": reported.MEMORY[which] * 2**20}
    return found


REPORTED = {name: _reported(name) for name in METHODS
            if name == "dense" or (name.startswith("blocks, ") and len(METHODS[name]) == 1)}  # fmt: skip
HEADER = ["method", "gone", "perplexity", "accuracy", "parameters", "GMACs", "peak MB", "time",
          "bits", "file MB"]  # fmt: skip


def file_bytes(chosen: Setting, row: Row) -> int:
    """The bytes of a method's model in a file: the decoder's weights at `row.bits`, all others in 16 bits."""
    from labsupport.given import macs  # withheld while lab 08 is graded

    config: Any = models.config(chosen.model)
    weights = macs.model_macs(config, 1) - config.vocab_size * config.hidden_size  # without the head
    there = weights * (1 - row.sparsity) if row.is_smaller else weights
    return round((weights * row.bits + (row.parameters - there) * 16) / 8)


def as_text(chosen: Setting, rows: list[Row]) -> str:
    """The table as text; for TinyLlama with the report's numbers beneath the methods that it covers."""
    lines, beside = [], _is_reported(chosen.model)
    for row in rows:
        lines.append(_cells(row.method, _facts(chosen, row) | {"time": row.seconds / row.dense_seconds}))
        if beside and row.method in REPORTED:
            lines.append(_cells("  as reported", REPORTED[row.method]))
    return columns(HEADER, lines)


def _is_reported(name: str) -> bool:
    """Whether the report measured these weights, by their name or in a folder."""
    folder = Path(name) / "config.json"
    return name == "tinyllama-1.1b-chat" or (
        folder.is_file() and record.digest(folder.parent) == reported.WEIGHTS
    )


def as_json(chosen: Setting, rows: list[Row]) -> str:
    """Setting and rows as JSON."""
    return json.dumps({"setting": asdict(chosen), "rows": [_facts(chosen, row) for row in rows]}, indent=1)


def _facts(chosen: Setting, row: Row) -> dict:
    """A row's fields, its bits a weight, and the bytes of its file."""
    return asdict(row) | {"bits": row.bits, "file": file_bytes(chosen, row)}


def _cells(name: str, values: dict) -> list[str]:
    stderr = f" ± {values['accuracy_stderr']:.3f}" if "accuracy_stderr" in values else ""
    forms = {
        "sparsity": "{:.1%}", "perplexity": "{:,.2f}", "accuracy": "{:.3f}" + stderr, "parameters": "{:,}",
        "macs": "{:.2f}", "memory": "{:,.0f}", "time": "{:.2f}", "bits": "{:.2f}", "file": "{:,.0f}",
    }  # fmt: skip
    units = {"macs": 1e9, "memory": 1e6, "file": 1e6}
    return [
        name,
        *(
            form.format(values[key] / units[key] if key in units else values[key]) if key in values else "-"
            for key, form in forms.items()
        ),
    ]


def about_setting(chosen: Setting) -> dict:
    """Everything that the numbers depend on, as JSON data."""
    about = {**asdict(chosen), "sizes": str(settings.current()), "device": settings.device().type}
    about["versions"] = [torch.__version__, transformers.__version__]
    return json.loads(json.dumps(about))  # tuples become lists, as in the stored file
