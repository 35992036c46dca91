"""What crosses the border, by type: what a check cell may ask for, and what it answers.

The examiner decodes every message here, and nowhere else. What does not fit is `Malformed`: a wrong answer,
never a fault of the grader.
"""

import warnings
from typing import Annotated, Any, TypeVar

import msgspec
import torch
from msgspec import Meta, Struct

Name = Annotated[str, Meta(max_length=1000)]
NAMES = 2000  # entries in one dict or list by name: the course model has 272 weights


class Malformed(Exception):
    """A message that no check cell sends."""


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every field is there, and no other."""


Kind = TypeVar("Kind", bound=Message)


class Failure(Message, frozen=True):
    """An exception of the student's function: the names of its class and bases, first line, function."""

    names: Annotated[list[Name], Meta(min_length=1, max_length=50)]
    text: Name
    where: Name  # the function that is not written yet; "" where that is not known


class Answer(Message, frozen=True):
    """The answer to one case. An ask of its own adds fields in a subclass.

    value: what the function returned, as plain data; changed: the arguments that it changed in place;
    device: the type of the device that a tensor was on.
    """

    value: Any = msgspec.field()
    error: Failure | None
    changed: Annotated[list[Name], Meta(max_length=NAMES)]
    device: Annotated[str, Meta(max_length=20)] | None


class Attempt(Message, frozen=True):
    """Something that was tried after the function had returned: its value, or its error."""

    value: Any
    error: Failure | None


class Request(Message, frozen=True):
    """What a check cell asks first: to be asked an exercise, or what perplexity the course model has.

    masks: by layer, packed as bits.packed does it.
    """

    exercise: Name = ""
    masks: Annotated[dict[Name, torch.Tensor], Meta(max_length=NAMES)] | None = None


def decode(message, kind: type[Kind]) -> Kind:
    """The message as this type. Raises Malformed for one that does not fit."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # msgspec tries a tensor as a mapping
            return msgspec.convert(message, kind)
    except Exception as problem:  # not ValidationError alone: a tensor raises errors of its own
        raise Malformed("the answer is not what a check cell sends") from problem


def plain(message):
    """The message as wire.pack takes it: a dict by field, messages inside dicts alike."""
    if isinstance(message, Message):
        return {name: plain(getattr(message, name)) for name in message.__struct_fields__}
    if type(message) is dict:
        return {name: plain(value) for name, value in message.items()}
    return message
