"""Calibration windows: drawn at random places of a text as Wanda does, of bookcorpus as LLM-Pruner does."""

import re
from dataclasses import asdict, dataclass

import torch

from labsupport import corpora
from labsupport.errors import LabError
from labsupport.fetch import books

MOST = 100_000  # windows


@dataclass(frozen=True)
class Calibration:
    """Which windows: `count` windows of `length` tokens of a text's calibration part, drawn by a seed."""

    text: str
    count: int
    length: int
    seed: int

    def windows(self, tokenizer) -> torch.Tensor:
        """LongTensor [count, length]; raises LabError for a text that is too short."""
        if self.text == books.NAME:
            return books.windows(tokenizer, self.count, self.length, self.seed)
        ids = corpora.tokens(self.text, tokenizer, "calibration")
        if len(ids) <= self.length:
            raise LabError(
                f"'{self.text}' has {len(ids):,} tokens in its calibration part: "
                f"windows of {self.length:,} are not possible."
            )
        generator = torch.Generator().manual_seed(self.seed)
        starts = torch.randint(len(ids) - self.length, (self.count,), generator=generator)
        return torch.stack([ids[start : start + self.length] for start in starts.tolist()])

    def about(self) -> dict:
        """The parameters as JSON data."""
        return asdict(self)


def parsed(words: str, seed: int) -> Calibration:
    """The calibration of "TEXT:COUNTxLENGTH", such as sotu:10x64; raises LabError for anything else."""
    match = re.fullmatch(r"(\w+):(\d+)x(\d+)", words)
    if not match or int(match[2]) < 1 or int(match[3]) < 2:
        raise LabError(f"--calibrate is '{words}': it must be TEXT:COUNTxLENGTH, such as sotu:10x64.")
    if int(match[2]) > MOST:
        raise LabError(f"--calibrate is '{words}': at most {MOST:,} windows are drawn.")
    if match[1] not in (known := (*corpora.NAMES, books.NAME)):
        raise LabError(f"There is no text called '{match[1]}'. Known: {', '.join(known)}.")
    return Calibration(match[1], int(match[2]), int(match[3]), seed)
