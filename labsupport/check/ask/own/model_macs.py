"""The ask of model_macs: the message holds the config as plain numbers."""

from collections.abc import Callable

from transformers import LlamaConfig

from labsupport.check.ask.answer import Answer
from labsupport.check.ask.call import answered, attempt


def ask(function: Callable, inputs: dict) -> Answer:
    """Call the function with the config of the case."""
    return answered(attempt(lambda: function(LlamaConfig(**inputs["config"]), inputs["tokens"])))
