"""Recipes of models and texts: small dicts from which both sides of a check build the same objects."""

from functools import cache

import torch
from transformers import LlamaForCausalLM

from labsupport import corpora, models, settings


def model(recipe: dict, device: str | None = None) -> LlamaForCausalLM:
    """The model of a recipe: {"tiny": seed}, on the CPU, or {"course": name}, on the device of settings.py.

    Every call makes a new one. device: another one for the course model.
    """
    return models.tiny(recipe["tiny"]) if "tiny" in recipe else models.load(recipe["course"], device)


def windows(recipe: dict) -> torch.Tensor:
    """Token windows of a recipe: {"random": seed, "count", "length"} or {"course": name, "split"}."""
    if "random" in recipe:
        generator = torch.Generator().manual_seed(recipe["random"])
        return torch.randint(256, (recipe["count"], recipe["length"]), generator=generator)
    return _course_windows(settings.current(), recipe["course"], recipe["split"]).clone()


def batches(recipe: dict) -> list[torch.Tensor]:
    """The windows of a recipe as batches of one: LongTensors [1, length]."""
    return list(windows(recipe)[:, None])


@cache
def _course_windows(now: settings.Settings, name: str, split: str) -> torch.Tensor:
    count = now.evaluation_windows if split == "evaluation" else now.calibration_windows
    ids = corpora.tokens(now.text, models.tokenizer(name), split)  # [T]
    return ids[: count * now.window].view(count, now.window)  # corpora.windows is withheld in lab 01


def course_model() -> dict:
    """The recipe of the course model."""
    return {"course": settings.current().model}


def course_windows(split: str) -> dict:
    """The recipe of the course text's windows."""
    return {"course": settings.current().model, "split": split}
