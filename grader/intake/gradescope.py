"""Gradescope's export: a folder for each submission, and submission_metadata.yml, which says whose it is."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import yaml

from grader.intake.archive import Entry
from grader.intake.parse import Unreadable
from grader.intake.senders import Submission

METADATA = "submission_metadata.yml"
FOLDER = re.compile("submission_[0-9]+")  # who uploads a file of that name elsewhere cannot claim other files


def submitters(entries: Sequence[Entry]) -> dict[str, list[Submission]]:
    """The submissions by the folder of their files, one for each member of a team; empty without metadata.

    The file maps `submission_456` to `:submitters:`, a list with `:name:`, `:sid:` and `:email:`, and to
    `:created_at:`.
    """
    said = next((entry for entry in entries if entry.parts[-1] == METADATA and len(entry.parts) == 1), None)
    try:
        found = yaml.load(said.read(), yaml.CSafeLoader) if said else {}
    except (Unreadable, yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        return {}
    listed = found.items() if isinstance(found, dict) else ()
    return {
        folder: of_folder(folder, one)
        for folder, one in listed
        if isinstance(folder, str) and FOLDER.fullmatch(folder) and isinstance(one, dict)
    }


def of_folder(folder: str, one: dict) -> list[Submission]:
    """The submissions of one folder: equal files, other people."""
    when = one.get(":created_at")
    time = when.replace(tzinfo=when.tzinfo or UTC).astimezone(UTC) if isinstance(when, datetime) else None
    people = one.get(":submitters")
    people = [each for each in people if isinstance(each, dict)] if isinstance(people, list) else []
    return [
        Submission(
            folder if len(people) == 1 else f"{folder} ({number})",
            text(each.get(":name")),
            text(each.get(":sid")) or text(each.get(":email")),
            "gradescope",
            time=time,
        )
        for number, each in enumerate(people, 1)
    ]


def text(value) -> str:
    """A name or number of the metadata; "" for anything else, such as a list of itself."""
    return str(value) if isinstance(value, str | int) else ""
