"""The model and the tokens that are measured: the course model on a CPU, TinyLlama's shape on CUDA."""

import torch
from transformers import AutoModelForCausalLM

from labsupport import corpora, models, settings

LARGE = "tinyllama-1.1b-chat"


def name() -> str:
    """Which model is measured here."""
    now = settings.current()
    on_cuda = settings.device().type == "cuda"
    return LARGE if on_cuda and now.model == models.EMBEDDED else now.model


def model():
    """The model in eval mode, in the dtype of settings.py; TinyLlama's has random weights."""
    if name() != LARGE:
        return models.load(name())
    torch.manual_seed(0)
    with settings.device():
        large = AutoModelForCausalLM.from_config(models.config(LARGE), dtype=settings.current().dtype)
    return large.eval().requires_grad_(False)


def windows(split: str, length: int, count: int) -> torch.Tensor:
    """LongTensor [count, length]: course text for a model that has a tokenizer here, else random tokens."""
    if name() != LARGE:
        text = settings.current().text
        return corpora.windows(text, models.tokenizer(name()), split, length, count)
    generator = torch.Generator().manual_seed(corpora.SPLITS.index(split))
    return torch.randint(models.SHAPES[LARGE]["vocab_size"], (count, length), generator=generator)
