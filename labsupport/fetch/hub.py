"""Files of the model hub: from its local cache or over the network, else an immediate LabError."""

from pathlib import Path
from typing import Any

from huggingface_hub import constants, get_session, hf_hub_download, try_to_load_from_cache

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


def reachable() -> bool:
    """Whether the hub answers a single request, through the proxy if this machine has one."""
    try:
        return get_session().head(constants.ENDPOINT, timeout=PATIENCE).status_code < 500
    except Exception:  # no name, no route, no answer in time, a proxy that refuses, offline mode
        return False
