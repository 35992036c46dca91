"""The ask of smallest_file: the answer is the file, bytes that the course's encoder made of its tensors."""

import copy
from collections.abc import Callable
from typing import Annotated, Any

import torch
from msgspec import Meta

from labsupport import container
from labsupport.challenge import MOST_BYTES
from labsupport.check.ask import card, recipes
from labsupport.check.ask.answer import Answer, Attempt, Failure
from labsupport.check.ask.call import attempt, fields
from labsupport.memory import give_back


class Packed(Answer, frozen=True):
    """A file, uint8 [size]; None if there is none, and if it is too large to be read.

    refused: why the tensors make no file, the encoder's sentence.
    """

    file: torch.Tensor | None
    size: Annotated[int, Meta(ge=0, le=2**40)]
    refused: Failure | None


def ask(function: Callable, inputs: dict) -> Packed:
    """Call the function on a fresh model; answer with the file of what it returned."""
    made: list = []
    found, config = _called(function, inputs, made)
    if found.error:
        return Packed(**fields(found), file=None, size=0, refused=None)
    give_back()  # the model
    files: list[bytes] = []
    tried = attempt(lambda: files.append(container.encode(made.pop(), config)))
    file = files[0] if files else b""
    sent = torch.frombuffer(bytearray(file), dtype=torch.uint8) if 0 < len(file) <= MOST_BYTES else None
    return Packed(**fields(found), file=sent, size=len(file), refused=tried.error)


def _called(function: Callable, inputs: dict, made: list) -> tuple[Attempt, Any]:
    """The attempt, whose value goes into `made`, and the model's config, as it was before."""
    model = recipes.model(inputs["model"])
    config = copy.deepcopy(model.config)
    batches = [card.beside(model, batch) for batch in recipes.batches(inputs["batches"])]
    with card.at_home(model):
        return attempt(lambda: made.append(function(model, batches, inputs["seconds"]))), config
