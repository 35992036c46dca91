"""bookcorpus, whose sentences calibrate LLM-Pruner: the first of its files on the hub."""

import random
from collections.abc import Sequence
from pathlib import Path

import torch

from labsupport.errors import LabError
from labsupport.fetch import hub
from labsupport.progress import bar

NAME = "bookcorpus"
PLACE = ("bookcorpus/bookcorpus", "plain_text/train/0000.parquet", "refs/convert/parquet")
TRIES = 10**6  # sentences drawn before it is said that there are too few long ones


def fetched() -> bool:
    """Whether the file is in the hub's cache."""
    return hub.stored_file(*PLACE) is not None


def sentences() -> Sequence[str]:
    """All sentences of the file, downloaded if it is missing; raises LabError."""
    repository, name, revision = PLACE
    instead = "the embedded text 'sotu' needs no hub."
    (path,) = hub.files(repository, [name], instead=instead, kind="dataset", revision=revision)
    return _rows(path)


def _rows(path: Path) -> Sequence[str]:
    import datasets

    datasets.disable_progress_bars()  # they are on standard error; we show our own
    with bar(what=f"read {NAME}"):
        return datasets.load_dataset("parquet", data_files=str(path), split="train")["text"]


def windows(tokenizer, count: int, length: int, seed: int) -> torch.Tensor:
    """LongTensor [count, length]: a window of each of `count` sentences that are long enough.

    Source: LLM-Pruner (Ma et al. 2023), LLMPruner/datasets/example_samples.py, get_bookcorpus: a sentence
    with its special tokens, a random place in it, no sentence twice. Raises LabError if too few are so long.
    """
    rows, drawn, seen, found = sentences(), random.Random(seed), set(), []
    for _ in range(TRIES):
        if len(found) == count:
            return torch.stack(found)
        row = drawn.randrange(len(rows))
        ids = tokenizer(rows[row], verbose=False)["input_ids"]
        if len(ids) >= length and row not in seen:
            seen.add(row)
            start = drawn.randint(0, len(ids) - length)
            found.append(torch.tensor(ids[start : start + length]))
    raise LabError(f"'{NAME}' has too few sentences of {length:,} tokens: take shorter windows.")
