"""The ask of continuation_logprob: on a fresh model; some models are made for this exercise."""

from collections.abc import Callable
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from labsupport.check.ask import card, recipes
from labsupport.check.ask.answer import Answer
from labsupport.check.ask.call import answered, attempt, same


def built(recipe: dict) -> LlamaForCausalLM:
    """The model of a recipe; {"follows": counts} is a Llama without layers with these bigram counts."""
    if "follows" not in recipe:
        return recipes.model(recipe)
    counts = torch.tensor(recipe["follows"])  # [word, next word]
    config = LlamaConfig(
        vocab_size=4, hidden_size=4, intermediate_size=4, num_hidden_layers=0, num_attention_heads=1,
        num_key_value_heads=1, rms_norm_eps=0.0, tie_word_embeddings=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config).requires_grad_(False).eval()
    model.model.embed_tokens.weight.copy_(torch.eye(4))
    model.model.norm.weight.fill_(0.5)  # the norm does not change a one-hot vector
    model.lm_head.weight.copy_(counts.log().T)
    typed: Any = model  # the type hints of transformers lack `to` on a model
    return typed.to(getattr(torch, recipe.get("dtype", "float32")))


def pair(inputs: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """Context and continuation; those of the course text are cut here."""
    if "text" not in inputs:
        return inputs["context_ids"], inputs["continuation_ids"]
    ids = recipes.windows(recipes.course_windows("evaluation"))[0]
    end = inputs["text"]["context"]
    return ids[:end], ids[end : end + inputs["text"]["continuation"]]


def ask(function: Callable, inputs: dict) -> Answer:
    """Call the function on a fresh model, the ids beside it."""
    model = built(inputs["model"])
    kept = [card.beside(model, ids) for ids in pair(inputs)]
    given = [ids.clone() for ids in kept]
    with card.at_home(model):
        found = attempt(lambda: function(model, *given))
    names = ("context_ids", "continuation_ids")
    changed = [n for n, one, two in zip(names, kept, given, strict=True) if not same(one, two)]
    return answered(found, changed)
