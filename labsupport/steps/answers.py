"""The answers to a task's requests so far, so that a task goes on where it was killed."""

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from labsupport.errors import LabError

Request = tuple[str, str]  # context and continuation
Answer = tuple[float, bool]  # log-probability, and whether it is the likeliest text


class Answers:
    """A file with a line for every request that was answered, after a line that says of what.

    The harness answers requests in batches. Lines are written a whole batch at a time: then what is left
    makes the same batches, and the task ends with the same numbers as one that was not killed. A file of
    other weights or conditions, and a line that was not finished, are left out.
    """

    def __init__(self, file: Path, about: dict):
        self.file, self.about = file, json.loads(json.dumps(about))
        self.found: dict[Request, list[Answer]] = defaultdict(list)  # a request may come twice
        self.count, self._batch = 0, []
        try:
            content = file.read_bytes()
            whole = content.rpartition(b"\n")[0]
            os.truncate(file, len(whole) + 1 if whole else 0)  # what follows the last line end is no line
            head, *lines = whole.split(b"\n")
            same = json.loads(head) == self.about
            for context, continuation, *answer in map(json.loads, lines if same else []):
                self.found[context, continuation].append(tuple(answer))
                self.count += 1
        except (OSError, ValueError):
            same = False
        if not same:
            self.found.clear()
            self.count = 0
        self._new = not same

    def wrap(self, harness: Any) -> None:
        """Let the harness, an HFLM, ask its model only for what was not answered before, and keep answers."""
        ask, forward = harness.loglikelihood, harness._model_call

        def loglikelihood(requests: list, **options) -> list[Answer]:
            known = [self.found[each.args].pop(0) if self.found[each.args] else None for each in requests]
            new = iter(ask([each for each, answer in zip(requests, known, strict=True) if answer is None],
                           **options))  # fmt: skip
            return [next(new) if answer is None else answer for answer in known]

        def call(*arguments, **options):
            self.flush()  # all of the batch before
            return forward(*arguments, **options)

        harness.loglikelihood, harness._model_call, harness.cache_hook = loglikelihood, call, self

    def add_partial(self, _kind: str, request: Request, answer: Answer) -> None:
        """The harness's call for each answer of a batch."""
        self._batch.append([*request, *answer])

    def flush(self) -> None:
        """Write the answers of a batch. Raises LabError if the disk refuses."""
        if not self._batch:
            return
        if self._new:
            self._write([self.about], "wb")
            self._new = False
        self._write(self._batch, "ab")
        self.count += len(self._batch)
        self._batch = []

    def _write(self, lines: list, how: str) -> None:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open(how) as file:
                file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
        except OSError as problem:
            raise LabError(f"Cannot write {self.file}: {problem.strerror}.") from problem
