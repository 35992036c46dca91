"""The types of events that the runner reports, and their decoding.

The runner shares a sandbox with the submission, so its report is untrusted. A line that is not an event ends
the run, because our runner does not write such lines.
"""

import json
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from grader.status import Status

Index = Annotated[int, Meta(ge=0, le=10**6)]
Text = Annotated[str, Meta(max_length=2**26)]


ENDS = (Status.FINISHED, Status.TIMEOUT, Status.KERNEL_DIED, Status.OUTPUT_LIMIT, Status.GRADER_ERROR)


class NoEvent(Exception):
    """A line that is not an event of the runner."""


class Event(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="event"):
    """One line of the report."""


class Ready(Event, frozen=True, tag="ready"):
    """The kernel waits for the first cell; no code of the submission has run.

    machine: what labsupport.machine says there, if the job asks for it; trouble: why it says nothing.
    """

    machine: dict[Annotated[str, Meta(max_length=20)], Any] | None = None
    trouble: Annotated[str, Meta(max_length=1000)] = ""


class Start(Event, frozen=True, tag="start"):
    """A cell begins."""

    cell: Index


class Flood(Event, frozen=True, tag="flood"):
    """The output of a cell exceeds the limit; it may fill the memory next."""

    cell: Index


class End(Event, frozen=True, tag="end"):
    """A cell is over.

    outputs, count: what a notebook holds, not looked into yet; cut: whether outputs are missing.
    """

    cell: Index
    ended: Literal["FINISHED", "TIMEOUT", "KERNEL_DIED"]
    outputs: list[Any]
    count: Any
    cut: bool


class Printed(Event, frozen=True, tag="text"):
    """A piece of a command's output."""

    text: Text


class Over(Event, frozen=True, tag="over"):
    """The run ended. code: the exit status of a command."""

    status: Status
    detail: Annotated[str, Meta(max_length=1000)] = ""
    code: int | None = None


def decode(line: bytes | bytearray) -> Event:
    """Decode one line of the report. Raises NoEvent for anything else; NaN and infinity become None."""
    try:
        found = json.loads(line, parse_constant=lambda _name: None)
        event = msgspec.convert(found, Ready | Start | Flood | End | Printed | Over)
    except (ValueError, RecursionError, msgspec.ValidationError) as problem:
        raise NoEvent from problem
    if isinstance(event, Over) and event.status not in ENDS:
        raise NoEvent
    return event
