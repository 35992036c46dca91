"""10.2 drop_blocks: a model loses whole blocks, in place."""

import copy
import functools
from typing import Any

import torch

from labsupport.check.ask.answer import NOT_SENT, Attempt
from labsupport.check.ask.own.drop_blocks import FIELDS, PROMPT, Dropped, built, measured, written
from labsupport.check.ask.pruned import digests
from labsupport.check.ask.recipes import windows
from labsupport.check.judge.kit import draw, left_behind
from labsupport.check.judge.kit.blocks_left import blocks, cause
from labsupport.check.judge.kit.compare import Wrong, is_close, is_number, kind
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.lines import many
from labsupport.check.judge.kit.weight_names import all_there, replaced

LISTS = ("layer_types", "layer_widths")  # of a config: one entry a block


def cases(seed: int) -> list[Case]:
    """Llamas of five blocks, a Qwen2 whose blocks differ in kind, and a Llama with two narrow blocks."""
    source = draw.rng(seed, "drop_blocks")

    def case(title: str, keep: list[int], **more) -> Case:
        model = {"blocks": 5, "seed": source.randrange(10**6), **more}
        evaluation = {"random": source.randrange(10**6), "count": 2, "length": 24}
        return Case(title, {"model": model, "keep": keep, "evaluation": evaluation})

    kinds = ["full_attention", "sliding_attention"]
    return [
        case("a model of five blocks", source.choice(([0, 2, 4], [1, 2, 4], [0, 3, 4]))),
        case("the first block goes", [1, 2, 3, 4]),
        case("one block stays", [source.choice((1, 2, 3))]),
        case("all blocks stay", [0, 1, 2, 3, 4]),
        case("a Qwen2, whose config lists the type of each block", [1, 2, 4],
             types=[kinds[0], kinds[1], kinds[0], kinds[0], kinds[1]]),
        case("blocks of unequal widths, as lab 05 makes them", [0, 2, 3], sliced=[1, 3]),
    ]  # fmt: skip


@torch.no_grad()
def expected(inputs: dict, keep: list[int]) -> Any:
    """A new model with these blocks of the model of a case, in this order."""
    dense = built(inputs["model"])
    config = copy.deepcopy(dense.config)
    config.num_hidden_layers = len(keep)
    for name in LISTS:
        if listed := getattr(config, name, None):
            setattr(config, name, [listed[index] for index in keep])
    state = dense.state_dict()
    chosen = {name: weight for name, weight in state.items() if ".layers." not in name}
    for place, index in enumerate(keep):
        front = f"model.layers.{index}."
        rows = {name: weight for name, weight in state.items() if name.startswith(front)}
        chosen |= {name.replace(front, f"model.layers.{place}.", 1): weight for name, weight in rows.items()}
    model = type(dense)(config)
    model.load_state_dict(chosen)
    return model.eval().requires_grad_(False)


def parts(inputs: dict, answer: Dropped) -> list[Part]:
    """What must hold of the model: its blocks, its config, and that it still works."""
    keep = inputs["keep"]

    @functools.cache
    def right() -> Any:
        return expected(inputs, keep)

    def in_place() -> None:
        if answer.value is not None:
            raise Wrong(kind(answer.value, "your function returned"))

    def counted() -> None:
        found = blocks(answer.digests)
        if found != list(range(len(keep))):
            raise Wrong(f"it has {len(found)} with weights", their_numbers=str(found[:8]), keep=str(keep))

    def chosen() -> None:
        wanted = digests(right())
        all_there(*([name for name in names if ".layers." in name] for names in (answer.digests, wanted)))
        for name, value in wanted.items():
            if ".layers." in name and answer.digests[name] != value:
                _, _, place, *rest = name.split(".")
                if said := replaced(name, answer.digests, value):
                    raise Wrong(said)
                raise Wrong(f"{'.'.join(rest)} of block {place} is not that of block {keep[int(place)]}")

    def untouched() -> None:
        wanted = digests(right())
        for name, value in wanted.items():
            if answer.digests.get(name) != value:
                raise Wrong(replaced(name, answer.digests, value) or f"{name} changed")
        if odd := sorted(answer.digests.keys() - wanted.keys()):
            raise Wrong(f"{odd[0]} is new")

    def noted() -> None:
        config = right().config.to_dict()
        for name in FIELDS:
            says, must = answer.config.get(name), config.get(name)
            if type(says) is not type(must) or says != must:
                raise Wrong(f"{name} is {says!r:.60}", blocks_left=len(keep))

    def generates(tried: Attempt | None, cache: bool) -> None:
        tokens, wanted = _succeeded(tried), written(right(), cache)
        if not isinstance(tokens, list) or not all(type(token) is int for token in tokens):
            raise Wrong(NOT_SENT)
        if tokens != wanted:
            start = len(PROMPT)
            raise Wrong(your_model_writes=tokens[start : start + 8], these_blocks_write=wanted[start:])

    def speaks(tried: Attempt | None) -> None:
        value = _succeeded(tried)
        if not isinstance(value, float):
            raise Wrong(NOT_SENT)
        is_number(value)
        if not is_close(value, wanted := measured(right(), windows(inputs["evaluation"]))):
            raise Wrong(f"it is {value:.6g}, and these blocks have {wanted:.6g}")

    return [
        Part("changes the model in place and returns None", in_place),
        Part(f"{many(len(keep), 'block is', 'blocks are')} left, numbered from 0", counted),
        Part("they are those of `keep`, in its order, bit for bit", chosen),
        Part("embeddings, the last norm and the head are untouched", untouched),
        Part("the config says how many blocks there are, and of which type", noted),
        Part(
            "without the KV cache it writes what these blocks write",
            lambda: generates(answer.uncached, False),
        ),
        Part("with the KV cache it writes the same", lambda: generates(answer.cached, True)),
        Part("its perplexity is the one of these blocks", lambda: speaks(answer.measured)),
        Part("saved and loaded again it has the same perplexity", lambda: speaks(answer.reloaded)),
        left_behind.part(answer),
    ]


def _succeeded(tried: Attempt | None) -> Any:
    """The value of something that was tried after the function had returned."""
    if tried is None:
        raise Wrong(NOT_SENT)
    if tried.error:
        raise Wrong(f"{tried.error.names[0]}: {tried.error.text}")
    return tried.value


EXERCISE = Exercise("drop_blocks", "10.2", cases, parts, cause, answer=Dropped)
