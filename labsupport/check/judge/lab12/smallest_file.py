"""12.1 smallest_file: a whole model in as few bytes as possible, which must still speak.

The answer is a file of the course's container. The judge reads it with the course's own decoder, counts its
bytes, and measures the perplexity of the decoded model and of the dense one, on addresses that the
function's process never saw. Points go by bytes, in rungs.
"""

import functools
import hashlib

import torch
from torch.linalg import vector_norm

from labsupport import challenge, container, corpora, models, settings
from labsupport.check.ask import recipes
from labsupport.check.ask.answer import NOT_SENT
from labsupport.check.ask.own.smallest_file import Packed
from labsupport.check.judge.kit import draw, memo
from labsupport.check.judge.kit.causes import Cause, Causes, see
from labsupport.check.judge.kit.compare import Wrong
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.verdict import Place
from labsupport.given.perplexity import perplexity

PUBLIC = 0  # the seed of the check at home: it measures on the course's evaluation windows
NONE = (1989, 1993, 2001, 2009, 2017)  # a new president's first year has no address of this name
YEARS = [year for year in range(1982, 2021) if year not in (*NONE, *corpora.YEARS["calibration"])]
WINDOWS = 8  # of hidden addresses, each of another one of these years
FAR = 0.8  # of a weight's norm: 2 bits, rounded to the nearest, miss by less


def cases(seed: int) -> list[Case]:
    """The course model, once; the addresses of the measurement are not sent."""
    name = challenge.model_name()
    evaluation = {"course": name, "split": "evaluation"}
    if seed != PUBLIC:
        source = draw.rng(seed, "smallest_file")
        years = source.sample(YEARS, WINDOWS)
        evaluation = {"course": name, "years": {str(year): source.random() for year in sorted(years)}}
    inputs = {
        "model": {"course": name}, "batches": {"course": name, "split": "calibration"},
        "seconds": challenge.SECONDS,
    }  # fmt: skip
    private = {"evaluation": evaluation}
    return [Case(f"the course model, {name}", inputs, costly=name != models.TINY, private=private)]


def parts(inputs: dict, answer: Packed) -> list[Part]:
    """What must hold of a file: it can be read, it still speaks, and then it is as small as it is."""

    def packed() -> None:
        if answer.refused:
            said = answer.refused
            raise Wrong(said.text if said.names[0] == "Refused" else f"{said.names[0]}: {said.text}")
        if answer.value is not None:
            raise Wrong(NOT_SENT)
        if answer.file is None:
            if answer.size <= challenge.MOST_BYTES:
                raise Wrong(NOT_SENT)
            most = challenge.MOST_BYTES
            raise Wrong(f"it has {answer.size:,} bytes, and at most {most:,} are read: it is too large")
        if answer.file.dtype is not torch.uint8 or answer.file.shape != (answer.size,):
            raise Wrong(NOT_SENT)

    def readable() -> None:
        try:
            _read(inputs, answer)
        except container.Refused as problem:
            raise Wrong(str(problem)) from None

    def speaks() -> None:
        found, dense = measured(inputs, answer), of_dense(inputs)
        most = challenge.RATIO * dense
        if not found <= most:
            raise Wrong(
                f"it is {found:.4g}; the dense model has {dense:.4g} here, so {most:.4g} is the limit. "
                f"A file above it earns nothing, and yours has {answer.size:,} bytes"
            )

    def small(most: int) -> None:
        if answer.size > most:
            raise Wrong(f"yours has {answer.size:,}; its perplexity is {measured(inputs, answer):.4g}")

    limit = f"its perplexity is at most {challenge.RATIO:g} times the dense model's"
    before, rungs = 0, []
    for most, points in challenge.rungs():
        holds = functools.partial(small, most)
        rungs.append(Part(f"{points} points: at most {most:,} bytes", holds, worth=(points - before) / 10))
        before = points
    return [
        Part("a dict of tensors that make a file", packed),
        Part("the examiner can read the file", readable),
        Part(limit, speaks),
        *rungs,
    ]


def place(inputs: dict, answer: Packed) -> Place:
    """The place of a file in the class's table."""
    digest = hashlib.sha256(_bytes(answer)).hexdigest()
    return Place(file=digest, bytes=answer.size, perplexity=measured(inputs, answer), dense=of_dense(inputs))


def measured(inputs: dict, answer: Packed) -> float:
    """The judge's perplexity of a file's model."""
    assert answer.file is not None  # what has no file has no place
    key = memo.key("file", {"evaluation": inputs["evaluation"]}, {"file": answer.file})
    return memo.at(key, lambda: challenge.perplexity(_bytes(answer), windows(inputs)))


def of_dense(inputs: dict) -> float:
    """The perplexity of the dense model on the same windows."""
    key = memo.key("dense", {name: inputs[name] for name in ("model", "evaluation")}, {})
    return memo.at(key, lambda: perplexity(recipes.model(inputs["model"]), windows(inputs)))


def windows(inputs: dict) -> torch.Tensor:
    """The windows of the measurement [n, L]: the course's, or one of each hidden year."""
    recipe = inputs["evaluation"]
    if "split" in recipe:
        return recipes.windows(recipe)
    tokenizer, length, found = models.tokenizer(recipe["course"]), settings.current().window, []
    for year, place in recipe["years"].items():
        ids = corpora.encoded(corpora.of_years([int(year)]), tokenizer)  # [T]
        start = int(place * (len(ids) - length))
        found.append(ids[start : start + length])
    return torch.stack(found)


def _bytes(answer: Packed) -> memoryview:
    """The bytes of the file, where they are."""
    assert answer.file is not None
    return answer.file.numpy().data


def _read(inputs: dict, answer: Packed) -> container.File:
    return container.read(_bytes(answer), models.stored_config(inputs["model"]["course"]))


def cause(inputs: dict, answer: Packed) -> Causes:
    """The weight that was decoded to something else, or what makes a good file large."""
    if answer.refused or answer.file is None:
        return ""
    file = _read(inputs, answer)
    if measured(inputs, answer) <= challenge.RATIO * of_dense(inputs):
        if any(entry.bits for entry in file.entries):
            return ""
        return Cause(
            "It is right, but large: no weight of it has codes.\nTry four bits for each, "
            + see("12.1", "Where the bytes are"),
            "no codes",
        )
    dense, far = recipes.model(inputs["model"], "cpu").state_dict(), {}
    for name, weight in file.weights():
        if weight.shape == dense[name].shape:
            off, size = (
                vector_norm(each, dtype=torch.float64) for each in (weight - dense[name], dense[name])
            )
            far[name] = float(off / size)
    worst = max(far, key=lambda name: far[name])
    if far[worst] < FAR:
        return ""
    distance = f"{far[worst]:.0%}" if far[worst] < 100 else "more than 100 times the size"
    many = sum(value >= FAR for value in far.values())
    return Cause(
        f"It looks as if {worst} became something else: it is off by {distance} of its norm, "
        f"and {many} of {len(far)} weights are off by {FAR:.0%} or more. Compare the model's weights with "
        "those of container.read(file, model.config).weights().",
        "a weight became something else",
    )


EXERCISE = Exercise("smallest_file", "12.1", cases, parts, cause, answer=Packed, place=place)
