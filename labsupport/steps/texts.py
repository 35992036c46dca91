"""`python -m labsupport perplexity`: whole texts by a published protocol, each stored once measured."""

import argparse
import time
from typing import Any

from labsupport import models
from labsupport.given.perplexity import perplexity
from labsupport.steps import loading, protocols, record


def run(chosen: argparse.Namespace) -> None:
    """Measure the perplexity of a model on every text that was not measured before, and print all."""
    for text in chosen.text:
        protocols.must_have(chosen.protocol, text)
    subject = record.subject(chosen.model)
    model, tokenizer = None, models.tokenizer(subject.name)
    window = chosen.window
    if window is None:
        window = protocols.PROTOCOLS[chosen.protocol].window or context(subject.name)
    for text in dict.fromkeys(chosen.text):
        about = {"text": text, "protocol": chosen.protocol, "window": window}
        how = record.conditions() | {"read": protocols.must_have(chosen.protocol, text).says}
        found = record.known(subject, "perplexity", about, how)
        if found is None:
            model = model or loading.load(subject.name)
            found = measured(model, tokenizer, about)
            record.keep(subject, "perplexity", about, how | {"seconds": found.pop("seconds")}, found)
        if text == chosen.text[0]:
            print(heading(subject.name, about))
        print(
            f"{text:10}  {found['perplexity']:.4f}  ({found['windows']:,} windows; {how['read']})", flush=True
        )


def heading(name: str, about: dict) -> str:
    """What the numbers below it are, in words."""
    return (
        f"{name}, protocol {about['protocol']}: windows of {about['window']:,} tokens. The whole text is\n"
        "tokenised at once, with the tokenizer's own special tokens (a BOS token once, if it adds one)."
    )


def measured(model: Any, tokenizer: Any, about: dict) -> dict:
    """Perplexity by text, protocol and window length, and what was read; raises LabError."""
    windows = protocols.windows(about["protocol"], about["text"], about["window"], tokenizer)
    started = time.monotonic()
    return {
        "perplexity": perplexity(model, windows),
        "windows": len(windows),
        "first token": tokenizer.convert_ids_to_tokens(windows[0, 0].item()),
        "seconds": round(time.monotonic() - started, 1),
    }


def context(name: str) -> int:
    """The number of tokens in a model's context."""
    config: Any = models.stored_config(name)
    return config.max_position_embeddings
