"""The types of messages between a check cell and the examiner: requests and answers.

The examiner decodes every message with this module only. A message of another form is `Malformed` and
counts as a wrong answer, never as a fault of the grader.
"""

import warnings
from typing import Annotated, Any, TypeVar

import msgspec
import torch
from msgspec import Meta, Struct

Name = Annotated[str, Meta(max_length=1000)]
NOT_SENT = "the answer is not what a check cell sends"
NAMES = 2000  # entries in one dict or list by name: the course model has 272 weights


class Malformed(Exception):
    """A message that does not fit its type."""


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base class: a message has all of its fields and no others."""


Kind = TypeVar("Kind", bound=Message)


class Failure(Message, frozen=True):
    """An exception of the student's function: class and base names, first line of its text, and place."""

    names: Annotated[list[Name], Meta(min_length=1, max_length=50)]
    text: Name
    where: Name  # the student's function that raised it; "" if unknown
    line: Annotated[int, Meta(ge=0, le=10**6)] = 0  # of the student's cell or file; 0 if unknown
    source: Name = ""  # the text of that line


class Answer(Message, frozen=True):
    """The answer to one case. Exercises with their own `ask` add fields in a subclass.

    value: the return value as plain data; changed: the arguments that were modified in place; device: the
    device type of a returned tensor.
    """

    value: Any = msgspec.field()
    error: Failure | None
    changed: Annotated[list[Name], Meta(max_length=NAMES)]
    device: Annotated[str, Meta(max_length=20)] | None


class Attempt(Message, frozen=True):
    """The result of an action after the function has returned: its value, or its error."""

    value: Any
    error: Failure | None


class Request(Message, frozen=True):
    """The first message of a check cell: a request for an exercise's cases, or for a perplexity.

    masks: by layer, packed by bits.packed; the perplexity is that of the course model under them.
    """

    exercise: Name = ""
    masks: Annotated[dict[Name, torch.Tensor], Meta(max_length=NAMES)] | None = None


def decode(message, kind: type[Kind]) -> Kind:
    """The message as this type. Raises Malformed if it does not fit."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # msgspec treats a tensor as a mapping
            return msgspec.convert(message, kind)
    except Exception as problem:  # a tensor raises other errors than ValidationError
        raise Malformed(NOT_SENT) from problem


def plain(message):
    """The message as nested dicts by field, for wire.pack."""
    if isinstance(message, Message):
        return {name: plain(getattr(message, name)) for name in message.__struct_fields__}
    if type(message) is dict:
        return {name: plain(value) for name, value in message.items()}
    return message
