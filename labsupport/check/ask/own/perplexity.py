"""The ask of perplexity: on a fresh model; the answer includes the model's state afterwards."""

from collections.abc import Callable
from typing import Any

import torch

from labsupport.check.ask import card, recipes
from labsupport.check.ask.answer import Answer
from labsupport.check.ask.call import attempt, fields, same


class Measured(Answer, frozen=True):
    """A perplexity, and the side effects of the function.

    gradients: whether autograd is on afterwards; training: the model's mode afterwards; trained_inside:
    whether it ran in training mode; flags: whether requires_grad is unchanged; left: weights with a .grad.
    """

    gradients: bool
    training: bool
    trained_inside: bool
    flags: bool
    left: int


def ask(function: Callable, inputs: dict) -> Measured:
    """Call the function on a fresh model; answer with the perplexity and the model's state afterwards."""
    model = recipes.model(inputs["model"])
    token_windows = card.beside(model, recipes.windows(inputs["windows"]))
    model.train(inputs["training"])
    if inputs["training"]:
        model.requires_grad_(True)
        layers: Any = model.model.layers
        for layer in layers:
            layer.self_attn.attention_dropout = 0.5
    modes = []
    model.model.register_forward_pre_hook(lambda inner, _arguments: modes.append(inner.training))
    flags = [weight.requires_grad for weight in model.parameters()]
    kept = token_windows.clone()
    with torch.set_grad_enabled(inputs["gradients"]), card.at_home(model):
        found = attempt(lambda: function(model, token_windows))
        gradients = torch.is_grad_enabled()
    return Measured(
        **fields(found, [] if same(kept, token_windows) else ["token_windows"]),
        gradients=gradients,
        training=bool(model.training),
        trained_inside=any(modes),
        flags=flags == [weight.requires_grad for weight in model.parameters()],
        left=sum(weight.grad is not None for weight in model.parameters()),
    )
