"""What was made and what was measured, as JSON beside the weights.

`made.json` in a folder lists the steps from the first model to this one. `measured/` holds one file for
each measurement: what was measured, of which weights, how, and what came out. For a model that is called
by its name, `measured/` lies in the course's cache. This file needs no torch.
"""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from labsupport.errors import LabError, reason
from labsupport.fetch import cache
from labsupport.files import write_whole
from labsupport.steps import weights

MADE, MEASURED = "made.json", "measured"
STEPS = ("prune", "recover")  # that made.json lists
CHANGING = ("when", "seconds")  # parts of "how" that differ when the same is measured again


@dataclass(frozen=True)
class Subject:
    """A model that a step starts from. weights: digest; steps: what made.json lists; place: measured/."""

    name: str
    weights: str
    place: Path
    steps: list[dict] = field(default_factory=list)


def subject(name: str | None) -> Subject:
    """A model by name or folder, its files fetched if they are missing; raises LabError."""
    from labsupport import models  # loads torch

    name = models.known(name)
    weights = "seed 0" if name == models.TINY else digest(models.location(name))
    return Subject(name, weights, place_of(name), made(Path(name)))


def must_be_a_seed(number: int) -> None:
    """Raises LabError for a number that torch's generators do not take."""
    if not 0 <= number < 2**63:
        raise LabError(f"--seed is {number}: it must be from 0 to {2**63 - 1}.")


def seen(name: str) -> Subject:
    """A model by name or folder, of which something was measured; raises LabError if nothing was."""
    place, folder = place_of(name), Path(name)
    known = [entry["weights"] for entry in entries(place)]
    if (folder / "config.json").is_file():
        return Subject(name, digest(folder), place, made(folder))
    if not known:
        raise LabError(f"Nothing was measured of '{name}' so far: it is no folder with a model, and no name "
                       "of a model that was measured.")  # fmt: skip
    return Subject(name, known[-1], place)


def place_of(name: str) -> Path:
    """The folder of a model's measurements: its own, or one in the cache for a model without a folder."""
    if (Path(name) / "config.json").is_file():
        return Path(name) / MEASURED
    return cache.own() / MEASURED / name.replace("/", "--")


def digest(folder: Path) -> str:
    """SHA-256 of a model's weights, by their values where they fit into bfloat16 (weights.py). LabError."""
    try:
        if files := weights.files_of(folder):
            return weights.digest(files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as problem:
        raise LabError(f"The weights in {folder} cannot be read ({reason(problem)}).") from problem
    raise LabError(f"There are no weights in {folder}: no model.safetensors, and no list of its parts.")


def made(folder: Path) -> list[dict]:
    """The steps that made the model in a folder; none for a model that no step made."""
    place = folder / MADE
    try:
        steps = json.loads(place.read_text())["steps"]
        for step in steps:
            if step["step"] not in STEPS or not step["from"].keys() >= {"model", "weights"}:
                raise ValueError(place)
        return steps
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise LabError(f"{place} cannot be read; without it nobody knows what was pruned here.") from problem


def write_made(draft: Path, start: Subject, step: dict) -> None:
    """Write made.json of a new folder: the steps of the model it came from, and this one."""
    source = {"from": {"model": start.name, "weights": start.weights}}
    text = json.dumps({"steps": [*start.steps, {**source, **step}]}, indent=1)
    (draft / MADE).write_text(text + "\n")


def conditions() -> dict:
    """The conditions of a measurement: device, dtype, versions, date."""
    import torch
    import transformers

    from labsupport import settings
    from labsupport.doctor import device_name

    return {
        "device": device_name(settings.device()),
        "dtype": str(settings.current().dtype).removeprefix("torch."),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "when": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def entries(place: Path) -> list[dict]:
    """All measurements in a folder, oldest first; a file that cannot be read is left out."""
    found = []
    for path in sorted(place.glob("*.json"), key=lambda path: path.stat().st_mtime):
        try:
            entry = json.loads(path.read_text())
            if {"what", "of", "weights", "how", "found"} <= entry.keys():
                found.append(entry)
        except (OSError, ValueError, AttributeError):
            continue
    return found


def known(of: Subject, what: str, about: dict, how: dict) -> dict | None:
    """The earlier measurement of the same weights under the same conditions; None if there is none."""
    for entry in entries(of.place):
        same = (entry["what"], entry["of"], entry["weights"]) == (what, about, of.weights)
        if same and lasting(entry["how"]) == lasting(how):
            return entry["found"]
    return None


def lasting(how: dict) -> dict:
    """The conditions of a measurement that must be the same for it to be the same measurement."""
    return {key: value for key, value in how.items() if key not in CHANGING}


def path_of(of: Subject, what: str, about: dict) -> Path:
    """The file of a measurement."""
    return of.place / f"{'-'.join([what, *(str(value) for value in about.values())])}.json"


def keep(of: Subject, what: str, about: dict, how: dict, found: Any) -> None:
    """Write a measurement atomically, in place of an earlier one. Raises LabError if the disk refuses."""
    entry = {"what": what, "of": about, "weights": of.weights, "how": how, "found": found}
    write(path_of(of, what, about), json.dumps(entry, indent=1) + "\n")


def write(path: Path, text: str) -> None:
    """Write a file atomically; raises LabError if the disk refuses."""
    try:
        write_whole(path, text.encode())
    except OSError as problem:
        raise LabError(f"Cannot write {path}: {problem.strerror}.") from problem
