"""The ask of channel_importance and kv_group_importance: "random" needs three calls."""

from collections.abc import Callable

import torch

from labsupport.check.ask import call
from labsupport.check.ask.answer import Answer


def ask(function: Callable, inputs: dict) -> Answer:
    """Call the function; for "random" three times: twice with one generator state, once with another."""
    if "seed" not in inputs:
        return call.call(function, inputs)
    arguments = [call.copied(value) for name, value in inputs.items() if name != "seed"]

    def draw(seed: int):
        return function(*arguments, None, torch.Generator().manual_seed(seed))

    seed = inputs["seed"]
    return call.answered(call.attempt(lambda: [draw(seed), draw(seed), draw(seed + 1)]))
