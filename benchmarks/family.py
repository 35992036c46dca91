"""The memory of a process and of all that it started: shared pages are counted once."""

import contextlib
import threading
from pathlib import Path

import psutil

PAUSE = 0.5  # seconds between two looks


class Peak:
    """`with Peak() as family: ...`, then `family.bytes`: the most that all of them held at one time.

    `family.own` leaves out pages of files, which all processes of the machine share, as the model's weights.
    Proportional set size, sampled: a page that two processes share counts half for each, which is what
    a fork that shares the model needs. A peak shorter than the pause may be missed.
    """

    def __enter__(self):
        self.bytes, self.own, self._over = 0, 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        own = psutil.Process()
        while True:
            family = [own, *own.children(recursive=True)]
            self.bytes = max(self.bytes, sum(map(held, family)))
            self.own = max(self.own, sum(map(anonymous, family)))
            if self._over.wait(PAUSE):
                return


def held(process: psutil.Process) -> int:
    """The bytes a process holds now; 0 for one that has gone."""
    try:
        full = process.memory_full_info()
        return getattr(full, "pss", full.rss)
    except psutil.AccessDenied:
        return process.memory_info().rss
    except psutil.Error:
        return 0


def anonymous(process: psutil.Process) -> int:
    """The bytes of a process that are no file's, a shared page in parts; 0 where Linux does not say."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines[1:]}
        return sizes.get("Pss_Anon", 0) + sizes.get("Pss_Shmem", 0)
    return 0
