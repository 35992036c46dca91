"""`python -m labsupport chat`: a prompt at the terminal, the answers of two models side by side."""

import shlex
import shutil
import textwrap
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from labsupport import models
from labsupport.errors import LabError
from labsupport.fetch import cache
from labsupport.graded import being_graded

TOKENS = 60  # of an answer at most


def keep(model, name: str) -> None:
    """Save a model under this name in the cache folder, and print how to talk to it; not under grading.

    The tokenizer of the course model goes with it. A model of this name that is there is replaced. Raises
    LabError where the disk refuses.
    """
    if being_graded():
        return
    target = cache.own() / name
    with cache.whole_or_nothing(target) as draft:
        model.save_pretrained(draft)
        models.tokenizer().save_pretrained(draft)
    print(f"Kept. Talk to it in a terminal: python -m labsupport chat {shlex.quote(str(target))}")


def chat(names: list[str], temperature: float = 0.0) -> None:
    """Answer prompts with two models until the input ends. Each prompt stands alone.

    names: of the models on the left and on the right, or folders; one alone stands beside the course model.
    temperature: 0 takes the likeliest token every time. Raises LabError for a model that cannot be loaded.
    """
    left, right = names if len(names) == 2 else [None, *names]
    names = [models.known(left), models.known(right)]
    loaded = [models.load(name) for name in names]
    tokenizer = models.tokenizer(next((name for name in names if _has_tokenizer(name)), names[0]))
    if len({model.config.vocab_size for model in loaded}) > 1:
        raise LabError(f"{names[0]} and {names[1]} do not have the same tokens: they cannot share a prompt.")
    sizes = [sum(weight.numel() for weight in model.parameters()) / 1e6 for model in loaded]
    titles = [f"{Path(name).name}, {size:,.1f} M weights" for name, size in zip(names, sizes, strict=True)]
    print("Type a sentence and press Enter. Ctrl+D ends (on Windows Ctrl+Z, Enter).")
    try:
        while True:
            if prompt := input("\n> ").strip():
                answers = [answer(model, tokenizer, prompt, temperature) for model in loaded]
                print(side_by_side(titles, answers, shutil.get_terminal_size().columns))
    except (EOFError, KeyboardInterrupt):
        print("\nThe chat has ended.")


def _has_tokenizer(name: str) -> bool:
    """Whether a model comes with a tokenizer; save_pretrained of a model alone writes none."""
    return name in models.NAMES or (Path(name) / "tokenizer.json").is_file()


@torch.no_grad()
def answer(model: Any, tokenizer: PreTrainedTokenizerFast, prompt: str, temperature: float = 0.0) -> str:
    """A model's answer to one prompt, in its chat format where the tokenizer has one, else how it goes on."""
    if tokenizer.chat_template:
        turns = [{"role": "user", "content": prompt}]
        text: Any = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    else:
        text = prompt
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]  # [1, T]
    ids = ids.to(model.device)
    how = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
    tokens = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=TOKENS, pad_token_id=0,
        eos_token_id=tokenizer.eos_token_id, **how,
    )  # fmt: skip
    said: Any = tokenizer.decode(tokens[0, ids.shape[1] :], skip_special_tokens=True)
    return said.strip()


def side_by_side(titles: list[str], texts: list[str], width: int) -> str:
    """Two texts in two columns under their titles, in lines of at most `width` characters."""
    half = max(20, (width - 3) // 2)
    shown = ["".join(letter if letter.isprintable() else " " for letter in text) for text in texts]
    columns = [
        [title[:half], "-" * min(half, len(title)), *textwrap.wrap(text, half)]
        for title, text in zip(titles, shown, strict=True)
    ]
    return "\n".join(f"{left:<{half}} | {right}" for left, right in zip_longest(*columns, fillvalue=""))
