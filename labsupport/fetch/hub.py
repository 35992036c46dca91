"""Files of the model hub: from its local cache or over the network, else an immediate LabError."""

import contextlib
import json
from pathlib import Path
from typing import Any

from huggingface_hub import (
    constants,
    get_session,
    hf_hub_download,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from labsupport.errors import LabError, reason
from labsupport.progress import Bar

PATIENCE = 5  # seconds; the hub's library would retry for half a minute


def files(
    repository: str,
    names: list[str],
    *,
    instead: str,
    kind: str = "model",
    revision: str = "main",
    again: bool = False,
) -> list[Path]:
    """The named files of a repository; no network access when all of them are in the cache.

    instead: an alternative without the hub, for the error message; again: download even cached files.
    kind: "model" or "dataset". Raises LabError.
    """
    place = {"repo_type": kind, "revision": revision}
    here: list[Any] = [try_to_load_from_cache(repository, name, **place) for name in names]
    if not again and all(isinstance(path, str) for path in here):
        return [Path(path) for path in here]
    if not reachable():
        raise LabError(f"{repository} is on the model hub, which cannot be reached from here; {instead}")
    options = {**place, "force_download": again, "tqdm_class": Bar}
    try:
        return [Path(hf_hub_download(repository, name, **options)) for name in names]
    except Exception as problem:
        raise LabError(
            f"{repository} could not be downloaded from the model hub ({reason(problem)}); {instead}"
        ) from problem


def model(repository: str, *, instead: str, again: bool = False) -> Path:
    """The folder of any model "owner/name", its weights in one file or in several; LabError as above."""
    wanted = ["*.json", "*.safetensors", "tokenizer.model"]
    if not again:
        with contextlib.suppress(LocalEntryNotFoundError):
            folder = Path(snapshot_download(repository, local_files_only=True))
            if complete(folder):
                return folder
    if not reachable():
        raise LabError(
            f"There is no folder '{repository}', and the model hub cannot be reached from here; {instead}"
        )
    try:
        options = {"allow_patterns": wanted, "force_download": again, "tqdm_class": Bar}
        return Path(snapshot_download(repository, **options))
    except Exception as problem:
        raise LabError(
            f"{repository} could not be downloaded from the model hub ({reason(problem)}); {instead}"
        ) from problem


def complete(folder: Path) -> bool:
    """Whether a folder holds a config, a tokenizer and all files of the weights."""
    try:
        index = json.loads((folder / "model.safetensors.index.json").read_text())
        weights = set(index["weight_map"].values())
    except (OSError, ValueError, KeyError):
        weights = {"model.safetensors"}
    tokenizer = any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model"))
    return tokenizer and all((folder / name).is_file() for name in ("config.json", *weights))


def stored(repository: str) -> Path | None:
    """The folder of a data set's files in the hub's cache, perhaps not all of them; None without one."""
    with contextlib.suppress(LocalEntryNotFoundError, HFValidationError):
        return Path(snapshot_download(repository, repo_type="dataset", local_files_only=True))
    return None


def stored_file(repository: str, name: str, revision: str) -> Path | None:
    """A data set's file in the hub's cache; None without one."""
    found = try_to_load_from_cache(repository, name, repo_type="dataset", revision=revision)
    return Path(found) if isinstance(found, str) else None


def reachable() -> bool:
    """Whether the hub answers a single request, through the proxy if this machine has one."""
    try:
        return get_session().head(constants.ENDPOINT, timeout=PATIENCE).status_code < 500
    except Exception:  # no name, no route, no answer in time, a proxy that refuses, offline mode
        return False
