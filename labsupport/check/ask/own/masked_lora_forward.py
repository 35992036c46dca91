"""The ask of masked_lora_forward: the answer holds the outputs, and the gradients of x, a and b."""

from collections.abc import Callable
from typing import Any

import torch

from labsupport.check.ask.answer import Answer, Attempt
from labsupport.check.ask.call import attempt, copied, fields, same

LEARN = ("x", "a", "b")  # the gradient of x is for the layers before


class Learning(Answer, frozen=True):
    """Outputs [..., out]. slopes: the gradients of x, a and b, in this order, None where none arrives.

    slopes is an error if the outputs have no gradients at all, and None if the function failed.
    """

    slopes: Attempt | None


def ask(function: Callable, inputs: dict) -> Learning:
    """Call the function; go back from its outputs, whose own gradient [..., out] is the case's `upstream`."""
    arguments: dict[str, Any] = {name: copied(value) for name, value in inputs.items() if name != "upstream"}
    leaves, returned = [arguments[name].requires_grad_() for name in LEARN], []

    def outputs():
        returned.append(function(*arguments.values()))
        return returned[0]

    def gradients() -> list[torch.Tensor | None]:
        returned[0].backward(inputs["upstream"].clone())
        return [leaf.grad for leaf in leaves]

    found = attempt(outputs)
    after = {name: _plain(value) for name, value in arguments.items()}
    changed = [name for name, value in after.items() if not same(inputs[name], value)]
    return Learning(**fields(found, changed), slopes=None if found.error else attempt(gradients))


def _plain(value):
    return value.detach() if isinstance(value, torch.Tensor) else value
