"""Judge and sandbox compute alike, or nobody is graded: what a sandbox has to say first."""

import msgspec

from grader.sandbox import events
from labsupport.errors import LabError
from labsupport.machine import Machine, difference

SILENT = "The sandbox does not say what it computes on before it begins"


def begun_well(judge: Machine, event: events.Event | None) -> None:
    """Raise LabError unless a sandbox's first event, None for none, says that it computes as the judge does.

    An end with an error of the runner is let through: its own reason is the better one.
    """
    if isinstance(event, events.Ready):
        agree(judge, event)
    elif not (isinstance(event, events.Over) and event.status == "GRADER_ERROR"):
        agree(judge, events.Ready(trouble=SILENT))


def agree(judge: Machine, ready: events.Ready) -> None:
    """Raise LabError unless the sandbox computes as the judge does: no verdict would mean anything."""
    try:
        why = ready.trouble or difference(judge, msgspec.convert(ready.machine, Machine))
    except msgspec.ValidationError as problem:
        why = f"The sandbox reports something else than a machine: {problem}"
    if why:
        raise LabError(
            "The two sides of a check do not compute alike, so nobody is graded. "
            f"{' '.join(why.split()).rstrip('.')}. `--device cpu` grades on the CPU."
        )
