"""The outputs of a student's own run, for cells that are not run again: shown, and never believed."""

import json

from nbformat import NotebookNode, v4

from grader.grade.sanitize import PICTURE, TEXT

MOST = 30  # outputs of one cell
LARGEST = 4 * 2**20  # characters of one output: the base64 of a picture, or text


def outputs(raw: bytes, number: int) -> list[NotebookNode]:
    """Text and pictures below a cell of a submitted notebook, not sanitized yet.

    number: of the cell, from 1; 0 for one that was put back. What is no such output is left out.
    """
    try:
        cell = json.loads(raw.decode("utf-8-sig"))["cells"][number - 1] if number else {}
        found = cell.get("outputs")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []
    listed = found[:MOST] if isinstance(found, list) else []
    return [output for each in listed if isinstance(each, dict) and (output := plain(each))]


def plain(output: dict) -> NotebookNode | None:
    """One output as a picture or text; None for anything else."""
    data = output.get("data")
    if isinstance(data, dict):
        picture = joined(data.get(PICTURE))
        if picture:
            return v4.new_output("display_data", {PICTURE: picture, TEXT: "[picture]"})
        text = joined(data.get(TEXT))
    else:
        text = joined(output.get("text"))
    return v4.new_output("stream", name="stdout", text=text) if text else None


def joined(value) -> str:
    """A text that Jupyter stores as one string or as lines; "" for anything else and for a too long one."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "".join(value)
    return value if isinstance(value, str) and len(value) <= LARGEST else ""
