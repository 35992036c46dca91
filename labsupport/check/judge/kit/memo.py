"""A memo of numbers that depend on masks: perplexities, and whether masks follow a rule.

The numbers are stored in this process, and in a folder if the grader sets one, because many students of a
class submit equal masks. A key covers everything that the value depends on, including the judging code
(`version`).
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from filelock import FileLock

from labsupport import settings
from labsupport.check.ask.bits import packed
from labsupport.files import write_whole

folder: Path | None = None
version = ""  # of the judging code; set by a grader that stores numbers on disk
_known: dict[str, float] = {}


def number(what: str, inputs: dict, masks: dict[str, torch.Tensor], compute: Callable[[], float]) -> float:
    """A number that depends only on a case and on masks: from the memo, or computed."""
    return at(key(what, inputs, packed(masks)), compute)


def at(place: str, compute: Callable[[], float]) -> float:
    """The number under this key: from the memo, or computed."""
    if place not in _known:
        _known[place] = _stored(place, compute)
    return _known[place]


def key(what: str, inputs: dict, bits: dict[str, torch.Tensor]) -> str:
    """The key of a number: SHA-256 of all that it depends on.

    bits: by name, masks packed by bits.packed or indices of what is kept.
    """
    digest = hashlib.sha256(json.dumps([what, inputs, circumstances()], sort_keys=True, default=str).encode())
    for name in sorted(bits):
        digest.update(name.encode() + bits[name].numpy().tobytes())
    return digest.hexdigest()


def knows(place: str) -> bool:
    """Whether the memo contains this key."""
    return place in _known or (folder is not None and (folder / place).exists())


def circumstances() -> list[str]:
    """The settings that numbers depend on besides model and text: sizes, dtype and device."""
    return [str(settings.current()), settings.device().type, torch.__version__, version]


def _stored(place: str, compute: Callable[[], float]) -> float:
    """The number stored by another process, or else computed under a lock."""
    if folder is None:
        return compute()
    path = folder / place
    with _alone(folder / f".lock-{place[0]}"):
        try:
            return float(path.read_text())
        except (OSError, ValueError):
            value = compute()
        with contextlib.suppress(OSError):  # a full disk only costs time later
            write_whole(path, repr(float(value)).encode())
    return value


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """A lock for one process at a time; no lock if the file system has none."""
    lock = FileLock(path)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
