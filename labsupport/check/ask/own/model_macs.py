"""model_macs is asked with a config that travels as plain numbers."""

from collections.abc import Callable

from transformers import LlamaConfig

from labsupport.check.ask.answer import Answer
from labsupport.check.ask.call import answered, attempt


def ask(function: Callable, inputs: dict) -> Answer:
    """Call the function with the config that the case describes."""
    return answered(attempt(lambda: function(LlamaConfig(**inputs["config"]), inputs["tokens"])))
