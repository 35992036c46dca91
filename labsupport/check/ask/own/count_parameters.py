"""The ask of count_parameters: the message holds the config as plain numbers."""

from collections.abc import Callable

from transformers import LlamaConfig

from labsupport.check.ask.answer import Answer
from labsupport.check.ask.call import answered, attempt


def built(shape: dict) -> LlamaConfig:
    """The config of a case, built from its fields by name."""
    return LlamaConfig(**shape)


def ask(function: Callable, inputs: dict) -> Answer:
    """Call the function with the config of the case."""
    config = built(inputs["config"])
    found = attempt(lambda: function(config))
    return answered(found, [] if config.to_dict() == built(inputs["config"]).to_dict() else ["config"])
