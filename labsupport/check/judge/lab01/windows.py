"""1.1 windows: a text cut into equal windows, its ragged tail dropped."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch

from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Cause, Named, see
from labsupport.check.judge.kit.compare import Wrong, is_tensor, on_same_device
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.lines import many

EQUAL = see("1.1", "Equal pieces, and the rest goes")


def cases(seed: int) -> list[Case]:
    """Texts, int64 [T], with and without a tail, of one window, and too short for one."""
    source = draw.rng(seed, "windows")
    count, length = source.choice(((2, 3), (2, 4), (2, 5), (3, 4), (3, 5), (4, 3)))
    tail = source.randrange(1, length)
    first = source.randrange(5, 60)
    consecutive = torch.arange(first, first + count * length + tail)  # int64 [T]
    text = torch.randint(1000, (60,), generator=draw.generator(source))  # int64 [T]
    return [
        Case("a short text", {"token_ids": consecutive, "length": length}),
        Case("a text of exactly four windows", {"token_ids": text[:20], "length": 5}),
        Case("a text of one window", {"token_ids": text[:7], "length": 7}),
        Case("a text one token short of four windows", {"token_ids": text[:31], "length": 8}),
        Case("windows of two tokens", {"token_ids": text[:9], "length": 2}),
        Case("a text below one window raises ValueError", {"token_ids": text[:5], "length": 6}, "ValueError"),
    ]


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the windows of a text: int64 [n, L]."""
    token_ids, length, found = inputs["token_ids"], inputs["length"], answer.value  # token_ids: [T]
    count = len(token_ids) // length

    def whole_numbers() -> None:
        is_tensor(found)
        if found.dtype is not torch.int64:
            raise Wrong(f"it is {found.dtype}; token ids stay torch.int64")

    def shape() -> None:
        if found.shape != (count, length):
            raise Wrong(f"yours is {tuple(found.shape)}", token_ids=token_ids, your_windows=found)

    def content() -> None:
        for row, window in enumerate(found.tolist()):
            start = row * length
            if window != token_ids[start : start + length].tolist():
                raise Wrong(
                    token_ids=token_ids,
                    your_windows=found,
                    expected=f"window {row} begins with token {start} of the text, {int(token_ids[start])}, "
                    "and goes on in the order of the text",
                )

    return [
        Part("a tensor of token ids", whole_numbers),
        Part("on the device of the text", lambda: on_same_device(answer)),
        Part(f"{many(count, 'window')} of {many(length, 'token')}, from a text of {len(token_ids)}", shape),
        Part("each window goes on where the one before it ended", content),
    ]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that wrong windows show."""
    ids, length = inputs["token_ids"].tolist(), inputs["length"]
    if answer.value.dim() != 2 or max(answer.value.shape) > len(ids):  # nothing large becomes a list
        return
    found = answer.value.tolist()
    if not found and len(ids) % length == 0:
        yield (
            "It looks as if a slice ended at -0: [:-0] is empty, not whole. Where nothing is left over, "
            "len(token_ids) % length is 0. Cut at n * length instead."
        )
    count, tail = len(ids) // length, len(ids) % length
    starts: list[Any] = [
        next((i for i in range(len(ids)) if ids[i : i + length] == row), None) for row in found
    ]
    wide = all(len(row) == length for row in found)
    if None not in starts:
        steps = {b - a for a, b in pairwise(starts)}
        if starts and starts[0] == tail > 0 and steps <= {length}:
            yield (
                "It looks as if the head of the text was dropped and the ragged tail kept. "
                "The windows begin with the first token; what is left over at the end goes."
            )
        if wide and len(steps) == 1 and 0 < min(steps) < length:
            yield Cause(
                f"It looks as if the windows overlap: yours begin {min(steps)} apart, {length} long. "
                f"A token in two windows would be counted twice: {EQUAL}",
                "overlapping windows",
            )
        if wide and len(found) == count - 1 and starts == [length * i for i in range(count - 1)]:
            yield (
                "It looks as if the last whole window went with the tail. A multiple of the length "
                "leaves nothing over. Try len(token_ids) // length."
            )
    if (
        len({row[0] for row in found}) == 1
        and [token for row in found for token in row[1:]] == ids[: len(found) * (length - 1)]
    ):
        yield "It looks as if a token was put before each window. Here windows hold the text alone."
    if tail and len(found) == count + 1 and found[-1][:tail] == ids[count * length :]:
        yield (
            "It looks as if the ragged tail was kept and filled up to a whole window. Filler would be "
            f"scored as if it were text; the tail is dropped: {EQUAL}"
        )
    if len(found) == count > 1 and [row[i] for i in range(length) for row in found] == ids[: count * length]:
        yield (
            "It looks as if rows and columns are exchanged: the text runs down your columns.\n"
            "Try windows[0]: it should be the beginning of the text."
        )


EXERCISE = Exercise("windows", "1.1", cases, parts, cause)
