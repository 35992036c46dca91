"""The ask of distill_loss: the answer holds the loss, and its gradients with respect to both logits."""

from collections.abc import Callable

import torch

from labsupport.check.ask.answer import Answer, Attempt
from labsupport.check.ask.call import attempt, fields, same


class Distilled(Answer, frozen=True):
    """A loss. slopes: its gradients for the logits of student and teacher, None where none arrives.

    slopes is an error if the loss has no gradients at all, and None if the function failed.
    """

    slopes: Attempt | None


def ask(function: Callable, inputs: dict) -> Distilled:
    """Call the function with logits that want gradients; go back from the loss that it returns."""
    student, teacher = (inputs[f"{who}_logits"].clone().requires_grad_() for who in ("student", "teacher"))
    token_ids, returned = inputs["token_ids"].clone(), []

    def loss():
        returned.append(function(student, teacher, token_ids, inputs["temperature"]))
        return returned[0]

    def gradients() -> list[torch.Tensor | None]:
        returned[0].backward()
        return [student.grad, teacher.grad]

    found = attempt(loss)
    pairs = {"student_logits": student, "teacher_logits": teacher, "token_ids": token_ids}
    changed = [name for name, value in pairs.items() if not same(inputs[name], value.detach())]
    return Distilled(**fields(found, changed), slopes=None if found.error else attempt(gradients))
