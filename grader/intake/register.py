"""The register of a lab: what `collect` found wrong, and submitted/ does not hold.

course/collected/LAB.json has the students of whom no notebook could be taken, times that could not be read,
the submissions of nobody known, and those of which a person said whose they are. `grade`, table and report
read it, so that work that was handed in and not taken is never called missing.
"""

import json
from pathlib import Path

import msgspec
from msgspec import Struct

from labsupport import files


class Handed(Struct):
    """What is wrong with the submissions of one student.

    refused: why no notebook could be taken. later: why a submission after the taken one was not. time: the
    text of a time that could not be read. Each is "" if there is nothing to say.
    """

    refused: str = ""
    later: str = ""
    time: str = ""


class Register(Struct):
    """students: by student id. unmatched: the reason by origin, for submissions of no known student.

    assigned: the student by origin, as the CSV of the unmatched has it, for the next calls without that CSV.
    """

    students: dict[str, Handed] = {}
    unmatched: dict[str, str] = {}
    assigned: dict[str, str] = {}


def path(submitted: Path, lab: str) -> Path:
    """The file of a lab, in the course folder beside `submitted`."""
    return submitted.parent / "collected" / f"{lab}.json"


def read(submitted: Path, lab: str) -> Register:
    """The register of a lab; empty if nothing was collected, or if the file is damaged."""
    try:
        return msgspec.convert(json.loads(path(submitted, lab).read_bytes()), Register)
    except (OSError, ValueError, msgspec.MsgspecError):
        return Register()


def write(submitted: Path, lab: str, register: Register) -> None:
    """Store the register atomically. Raises OSError."""
    files.write_whole(path(submitted, lab), json.dumps(msgspec.to_builtins(register), indent=1).encode())
