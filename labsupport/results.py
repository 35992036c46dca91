"""The results of a long measurement in a JSON file, which holds all rows measured so far."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from labsupport.errors import LabError
from labsupport.files import write_whole

Row = TypeVar("Row")


def digest(about: dict) -> str:
    """A short name for a setting."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]


def read(place: Path, about: dict, kind: type[Row]) -> list[Row]:
    """The rows in a file, dataclasses of this kind; none if there is no file.

    about: the setting as JSON data. Raises LabError for a file that is damaged or of another setting.
    """
    try:
        found = json.loads(place.read_text())
        rows = [kind(**row) for row in found["rows"]]
        of = found["setting"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as problem:
        raise LabError(f"The results in {place} cannot be read; remove the file to start again.") from problem
    if of != about:
        raise LabError(f"The results in {place} belong to another setting; name another file.")
    return rows


def write(place: Path, about: dict, rows: list[Any]) -> None:
    """Replace the file by these rows. Raises LabError if it cannot be written."""
    text = json.dumps({"setting": about, "rows": [asdict(row) for row in rows]}, indent=1)
    try:
        write_whole(place, text.encode())
    except OSError as problem:
        raise LabError(f"The results cannot be written to {place} ({problem.strerror}).") from problem
