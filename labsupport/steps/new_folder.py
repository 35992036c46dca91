"""A new folder with a model, its tokenizer and how it was made: whole, or not there."""

from pathlib import Path
from typing import Any

from labsupport.errors import LabError
from labsupport.fetch import cache
from labsupport.steps import record

ADVICE = "Free some space there, or name another folder."


def must_be_new(target: Path) -> None:
    """Raise LabError for a folder that holds something, so that nothing is lost, and for a bad place."""
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists():
        raise LabError(f"{target} is there already: remove it, or name another folder.")
    for around in target.parents:
        if around.exists():
            if not around.is_dir():
                raise LabError(f"Cannot write {target}: {around} is not a folder.")
            return


def write(target: Path, model: Any, tokenizer: Any, start: record.Subject, step: dict) -> None:
    """Save a model atomically, in place of an old folder. Raises LabError if the disk refuses."""
    with cache.whole_or_nothing(target, ADVICE) as draft:
        model.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
        record.write_made(draft, start, step)
