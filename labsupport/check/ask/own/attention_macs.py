"""The ask of attention_macs: the message holds the config as plain numbers."""

from collections.abc import Callable

from labsupport.check.ask.answer import Answer
from labsupport.check.ask.call import answered, attempt
from labsupport.check.ask.own.count_parameters import built


def ask(function: Callable, inputs: dict) -> Answer:
    """Call the function with the config of the case, and with the numbers after it."""
    shape, *numbers = inputs.values()
    config = built(shape)
    found = attempt(lambda: function(config, *numbers))
    return answered(found, [] if config.to_dict() == built(shape).to_dict() else ["config"])
