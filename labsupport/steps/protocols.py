"""How two published codes measure perplexity: which part of a text, how joined, in which windows.

LLM-Pruner (Ma et al. 2023): LLMPruner/evaluator/ppl.py and LLMPruner/datasets/ppl_dataset.py.
Wanda (Sun et al. 2024): lib/eval.py and lib/data.py; its texts are those of labsupport.fetch.texts.
Both tokenise the whole text at once with the tokenizer's own special tokens, so that a BOS token comes
once, drop the tail that fills no window, predict tokens 2 to L of each window from those before them, and
exponentiate the mean loss over all targets once. Both run in half precision; here the dtype is in the record.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from labsupport import corpora
from labsupport.errors import LabError
from labsupport.fetch import texts
from labsupport.given.cutting import cut


@dataclass(frozen=True)
class Text:
    """One text as a protocol reads it. most: windows at most; None: the whole text."""

    read: Callable[[], str]
    says: str
    most: int | None = None


@dataclass(frozen=True)
class Protocol:
    """A published way to measure. window: tokens by default; None: as many as the model's context holds."""

    window: int | None
    texts: dict[str, Text]


SOTU = Text(lambda: corpora.text("sotu", "evaluation"), "addresses of 2022 to 2024, joined by blank lines")
WIKITEXT2 = Text(lambda: corpora.text("wikitext2", "evaluation"), "test rows, joined by blank lines")

PROTOCOLS = {
    "llm-pruner": Protocol(
        128,
        {
            "wikitext2": WIKITEXT2,
            "ptb": Text(
                lambda: texts.read("ptb", "validation", "\n\n"), "validation sentences, joined by blank lines"
            ),
            "sotu": SOTU,
        },
    ),
    "wanda": Protocol(
        None,
        {
            "wikitext2": WIKITEXT2,
            "ptb": Text(lambda: corpora.text("ptb", "evaluation"), "test sentences, joined by spaces"),
            "c4": Text(
                lambda: corpora.text("c4", "evaluation"),
                "the first 1,100 documents of its validation part, joined by spaces, 256 windows at most",
                most=256,
            ),
            "sotu": SOTU,
        },
    ),
}


def windows(name: str, text: str, length: int, tokenizer) -> torch.Tensor:
    """The windows [n, length] of a text by a protocol. Raises LabError for an unknown or a short text."""
    source = must_have(name, text)
    if length < 2:
        raise LabError(f"A window of {length:,} tokens predicts nothing: it needs 2 or more.")
    ids = corpora.encoded(source.read(), tokenizer, special=True)
    count = min(len(ids) // length, source.most or len(ids))
    if count < 1:
        raise LabError(f"'{text}' has {len(ids):,} tokens: a window of {length:,} is not possible.")
    return cut(ids, length, count)


def must_have(name: str, text: str) -> Text:
    """The text of a protocol; raises LabError if it has none of this name."""
    found = PROTOCOLS[name].texts
    if text not in found:
        raise LabError(f"The protocol {name} has no text called '{text}'. Known: {', '.join(found)}.")
    return found[text]
