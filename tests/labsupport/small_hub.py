"""A hub cache of a class without a network: a random model of TinyLlama's kind, texts, a task, alpaca."""

import io
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import torch
from tokenizers.processors import TemplateProcessing
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from labsupport import models

WIKITEXT = ["", " = Title = \n", "the sun and the sea were old , and the old man was there\n", ""] * 12
SENTENCES = ["no it was n't black monday", "<unk> said the old man", "N years of the sea"] * 20
ALPACA = [
    {"instruction": f"Say {number}.", "input": "", "output": f"It is {number}."} for number in range(40)
]
QUESTIONS = {
    "id": ["1", "2", "3"],
    "question_stem": ["The sun", "Water", "A stone"],
    "choices": [
        {"text": ["is hot", "is a fish"], "label": ["A", "B"]},
        {"text": ["is dry", "is wet"], "label": ["A", "B"]},
        {"text": ["sinks", "swims for hours"], "label": ["A", "B"]},
    ],
    "answerKey": ["A", "B", "A"],
}
README = """---
configs:
- config_name: main
  data_files:
  - {split: train, path: main/train-*}
  - {split: validation, path: main/validation-*}
  - {split: test, path: main/test-*}
---
"""
SHAPE = {
    "vocab_size": 258, "hidden_size": 48, "intermediate_size": 40, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048,
    "initializer_range": 0.2,
}  # fmt: skip
KINDS = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "mistral": (MistralConfig, MistralForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
}


def model(kind: str = "llama", **changes):
    """A small random model of one kind, biases included, in eval mode."""
    config, architecture = KINDS[kind]
    torch.manual_seed(5)
    made = architecture(config(**SHAPE | changes))
    for name, weight in made.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(weight)
    return made.eval().requires_grad_(False)


def tokenizer():
    """One token a byte, with a BOS token in front of a text, as a Llama's tokenizer has it."""
    found = models.byte_tokenizer()
    found.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})
    found.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", found.bos_token_id)]
    )
    return found


def saved(folder: Path, made=None) -> Path:
    """A model and the tokenizer in a folder."""
    (made or model()).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def parquet(table: dict) -> bytes:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(table), buffer)
    return buffer.getvalue()


def fill(put, folder: Path) -> None:
    """Put everything into a hub cache; folder: a saved model."""
    put(models.HUB["tinyllama-1.1b-chat"], {"special_tokens_map.json": b"{}"}
        | {path.name: path.read_bytes() for path in folder.iterdir()})  # fmt: skip
    wikitext = parquet({"text": WIKITEXT})
    put(
        "Salesforce/wikitext",
        {f"wikitext-2-raw-v1/{part}-00000-of-00001.parquet": wikitext for part in ("train", "test")},
        "dataset",
    )
    put(
        "ptb-text-only/ptb_text_only",
        {f"penn_treebank/{part}/0000.parquet": parquet({"sentence": [part, *SENTENCES]})
         for part in ("train", "test", "validation")},
        "dataset",
        "refs/convert/parquet",
    )  # fmt: skip
    put("yahma/alpaca-cleaned", {"alpaca_data_cleaned.json": json.dumps(ALPACA).encode()}, "dataset")
    questions = {f"main/{part}-00000-of-00001.parquet": parquet(QUESTIONS)
                 for part in ("train", "validation", "test")}  # fmt: skip
    put("allenai/openbookqa", {"README.md": README.encode()} | questions, "dataset")
