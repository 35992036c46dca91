"""A course model by name: where it comes from, on which device, in which dtype."""

import os
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM
from transformers import PreTrainedTokenizerFast
from transformers.utils import logging

from labsupport import cache, embedded, settings
from labsupport.settings import LabError

logging.disable_progress_bar()  # transformers writes its bars to standard error; ours say what is slow

EMBEDDED = "smollm2-135m"
TINY = "tiny"
HUB = {
    "smollm2-135m-hub": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "tinyllama-1.1b-chat": "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
}
NAMES = (EMBEDDED, *HUB, TINY)

SMOLLM2 = {
    "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
    "num_attention_heads": 9, "num_key_value_heads": 3, "head_dim": 64, "tie_word_embeddings": True,
    "max_position_embeddings": 8192,
}  # fmt: skip
SHAPES = {
    EMBEDDED: SMOLLM2,
    "smollm2-135m-hub": SMOLLM2,
    "tinyllama-1.1b-chat": {
        "vocab_size": 32000, "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22,
        "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 64, "tie_word_embeddings": False,
        "max_position_embeddings": 2048,
    },
    TINY: {
        "vocab_size": 256, "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 12, "tie_word_embeddings": True,
        "max_position_embeddings": 2048,
    },
}  # fmt: skip


def load(name: str | None = None, device=None, dtype: torch.dtype | None = None) -> LlamaForCausalLM:
    """A course model in eval mode, its gradients off; `smollm2-135m` is made on first use.

    name: one of NAMES; the course model of settings.py when left out. device and dtype default to
    those of settings.py. Raises LabError for an unknown name, and when a model cannot be had.
    """
    name = known(name)
    device = settings.device() if device is None else torch.device(device)
    dtype = settings.current().dtype if dtype is None else dtype
    if name == TINY:
        return tiny(seed=0).to(device, dtype)
    source = location(name)
    try:
        model = AutoModelForCausalLM.from_pretrained(source, dtype=dtype)
    except Exception as problem:
        raise _unreadable(name, source, problem) from problem
    return model.to(device).eval().requires_grad_(False)


def tokenizer(name: str | None = None) -> PreTrainedTokenizerFast:
    """The tokenizer that belongs to a course model."""
    name = known(name)
    if name == TINY:
        return byte_tokenizer()
    source = location(name)
    try:
        return AutoTokenizer.from_pretrained(source)
    except Exception as problem:
        raise _unreadable(name, source, problem) from problem


def known(name: str | None) -> str:
    """The name itself, or the course model's; raises LabError for a name nobody knows."""
    name = settings.current().model if name is None else name
    if name not in NAMES:
        raise LabError(f"There is no model called '{name}'. Known: {', '.join(NAMES)}.")
    return name


def location(name: str) -> Path | str:
    """Where transformers finds this model: a folder of the cache, or its name on the hub."""
    if name == EMBEDDED:
        target = cache.folder() / EMBEDDED
        if not (target / "config.json").exists():
            embedded.make(target)
        return target
    return HUB[name]


def _unreadable(name: str, source: Path | str, problem: Exception) -> LabError:
    if name == EMBEDDED:
        return LabError(f"The stored model in {source} is damaged: delete that folder and it is made again.")
    return LabError(f"{name} cannot be had from the model hub ({problem}); the embedded model is '{EMBEDDED}'.")


def tiny(seed: int = 0) -> LlamaForCausalLM:
    """A random Llama of 0.1 million weights with grouped-query attention, in eval mode; needs no file.

    One input channel of every norm is loud, as in real models, so that activations matter.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(LlamaConfig(**SHAPES[TINY], initializer_range=0.2))
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name.endswith("layernorm.weight"):
                    weight.uniform_(0.5, 1.5)
                    weight[torch.randint(len(weight), ())] = 8.0
    return model.eval().requires_grad_(False)


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """The tiny model's tokenizer: one token a byte, 256 in all, made without a file."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(BPE(vocab={letter: index for index, letter in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=core)


def shape(name: str) -> LlamaForCausalLM:
    """The architecture of a named model on the meta device: shapes and counts, no weights, no file."""
    with torch.device("meta"):
        return LlamaForCausalLM(LlamaConfig(**SHAPES[known(name)]))


def describe(model: nn.Module) -> None:
    """Print the layers with shapes and parameter counts; equal decoder layers share one line.

    The table of the report's third chapter, with the counts that it leaves out.
    """
    from labsupport.table import layer_table

    print(layer_table(model))
