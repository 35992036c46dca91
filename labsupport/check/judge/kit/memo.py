"""A memo of numbers that depend on masks: perplexities, and whether masks follow a rule.

Kept in this process, and in a folder when the grader names one, because whole classes hand in equal masks.
A key holds everything that the value depends on, the judging code (`version`) included.
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
version = ""  # of the judging code, where a grader keeps numbers for longer than itself
_known: dict[str, float] = {}


def number(what: str, inputs: dict, masks: dict[str, torch.Tensor], compute: Callable[[], float]) -> float:
    """A number that depends on a case and on masks alone: computed, or remembered from the last time."""
    return at(key(what, inputs, packed(masks)), compute)


def at(place: str, compute: Callable[[], float]) -> float:
    """The number that is kept under this key: computed, or remembered."""
    if place not in _known:
        _known[place] = _stored(place, compute)
    return _known[place]


def key(what: str, inputs: dict, bits: dict[str, torch.Tensor]) -> str:
    """What a number is kept under: SHA-256 of all that it depends on. bits: masks as bits.packed has them."""
    digest = hashlib.sha256(json.dumps([what, inputs, circumstances()], sort_keys=True, default=str).encode())
    for name in sorted(bits):
        digest.update(name.encode() + bits[name].numpy().tobytes())
    return digest.hexdigest()


def knows(place: str) -> bool:
    """Whether the number under this key need not be computed."""
    return place in _known or (folder is not None and (folder / place).exists())


def circumstances() -> list[str]:
    """What numbers depend on besides model and text: sizes, dtype and device."""
    return [str(settings.current()), settings.device().type, torch.__version__, version]


def _stored(place: str, compute: Callable[[], float]) -> float:
    """The number as another process has stored it; else computed, while others that want it wait."""
    if folder is None:
        return compute()
    path = folder / place
    with _alone(folder / f".lock-{place[0]}"):
        try:
            return float(path.read_text())
        except (OSError, ValueError):
            value = compute()
        with contextlib.suppress(OSError):  # a full disk costs time later, and nothing now
            write_whole(path, repr(float(value)).encode())
    return value


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time; where no lock can be made, all of them."""
    lock = FileLock(path)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
