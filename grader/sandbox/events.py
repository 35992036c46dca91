"""What the runner says of a run, by type: decoded and refused here, and nowhere else.

The runner shares a sandbox with the submission, so what comes from there is a report and no evidence. A line
that is no event ends the run, because no runner of ours wrote it.
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
    """A line that no runner of ours wrote."""


class Event(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="event"):
    """One line of the report."""


class Ready(Event, frozen=True, tag="ready"):
    """The kernel waits for the first cell."""


class Start(Event, frozen=True, tag="start"):
    """A cell begins."""

    cell: Index


class Flood(Event, frozen=True, tag="flood"):
    """A cell puts out more than is allowed; it may fill the memory next."""

    cell: Index


class End(Event, frozen=True, tag="end"):
    """A cell is over. outputs: as nbformat has them, not looked into yet; cut: whether some are missing."""

    cell: Index
    ended: Literal["FINISHED", "TIMEOUT", "KERNEL_DIED"]
    outputs: list[Any]
    count: int | None
    cut: bool


class Printed(Event, frozen=True, tag="text"):
    """A piece of what a command prints."""

    text: Text


class Over(Event, frozen=True, tag="over"):
    """The run is over. code: the exit status of a command."""

    status: Status
    detail: Annotated[str, Meta(max_length=1000)] = ""
    code: int | None = None


def decode(line: bytes | bytearray) -> Event:
    """One line of the report. Raises NoEvent for anything else; NaN and infinity become None."""
    try:
        found = json.loads(line, parse_constant=lambda _name: None)
        event = msgspec.convert(found, Ready | Start | Flood | End | Printed | Over)
    except (ValueError, RecursionError, msgspec.ValidationError) as problem:
        raise NoEvent from problem
    if isinstance(event, Over) and event.status not in ENDS:
        raise NoEvent
    return event
