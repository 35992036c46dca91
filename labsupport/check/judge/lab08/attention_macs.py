"""attention_macs: the multiply-accumulates of attention's own two products, from a config alone."""

import json
from collections.abc import Iterator
from functools import lru_cache

from transformers import LlamaConfig

from labsupport import models
from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import configs, draw
from labsupport.check.judge.kit.causes import Cause, Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, is_whole
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.given import macs

ONCE = see("8.1", "Once for every token")
MEET = see("8.2", "Where tokens meet")
TINYLLAMA = models.SHAPES["tinyllama-1.1b-chat"]


def cases(seed: int) -> list[Case]:
    """Small configs, each with something that is easily forgotten, and TinyLlama's."""
    source = draw.rng(seed, "attention_macs")
    plain = draw.until(lambda: _inputs(source), _suits)
    other, tokens = _inputs(source)["config"], source.choice((3, 4, 8))
    heads = other["num_attention_heads"]

    def case(title: str, config: dict, tokens: int = tokens) -> Case:
        return Case(title, {"config": config, "tokens": tokens})

    return [
        case("a small Llama with grouped-query attention", **plain),
        case("twice as many tokens", plain["config"], 2 * plain["tokens"]),
        case("as many KV heads as query heads", {**other, "num_key_value_heads": heads}),
        case("one KV head", {**other, "num_key_value_heads": 1}),
        case("one token", other, 1),
        case("TinyLlama at 64 tokens", TINYLLAMA, 64),
        case("SmolLM2: more MACs than a float can count", models.SHAPES[models.EMBEDDED], 8_500_001),
    ]


def _inputs(source) -> dict:
    config = configs.grouped(source, ((12, 3), (15, 3), (12, 4)), (5, 7))
    return {"config": config, "tokens": source.choice((7, 9, 11))}


def _suits(inputs: dict) -> bool:
    """Whether no two mistakes come to the same number, and none to the right one."""
    return draw.apart([(_right(inputs), "right"), *mistakes(inputs)])


def _right(inputs: dict) -> int:
    return _counted(json.dumps(inputs["config"]), inputs["tokens"])[0]


@lru_cache(64)
def _counted(shape: str, tokens: int) -> tuple[int, int]:
    """The MACs of attention's two products, and those of the linear layers, for a config in JSON."""
    config = LlamaConfig(**json.loads(shape))
    return macs.attention_macs(config, tokens), macs.model_macs(config, tokens)


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the count."""
    config, tokens, found = inputs["config"], inputs["tokens"], answer.value

    def shown(expected: str) -> Wrong:
        return Wrong(**config, tokens=tokens, your_answer=f"{found:,}", expected=expected)

    def squared() -> None:
        if found <= 0 or found % tokens**2:
            raise shown(f"every token meets every token, so {tokens} x {tokens} divides the answer")

    def right() -> None:
        if found != _right(inputs):
            raise shown("the two products of every head in every layer, and nothing else")

    return [
        Part("a whole number (an int)", lambda: is_whole(found)),
        Part("every position meets every position", squared),
        Part("the two products of all heads of all layers", right),
    ]


def mistakes(inputs: dict) -> Iterator[tuple[int, Named]]:
    """The number that each mistake comes to, and its name."""
    config, tokens, right = inputs["config"], inputs["tokens"], _right(inputs)
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    depth, head_dim, hidden = config["num_hidden_layers"], config["head_dim"], config["hidden_size"]
    linear = _counted(json.dumps(config), tokens)[1]
    yield 2 * right, f"FLOPs were counted: a MAC is two of them, {ONCE}"
    one = f"one product was counted. There are two: queries by keys, and weights by values, {MEET}"
    yield right // 2, one
    grouped = (
        f"the {kv_heads} KV heads were counted. Heads may share their keys, but each of the {heads} query "
        f"heads multiplies with them for itself, {MEET}"
    )
    yield right * kv_heads // heads, Cause(grouped, "the KV heads were counted")
    quotient = f"the width of a head was taken to be hidden_size / heads. The config says head_dim, {MEET}"
    yield right * hidden // (heads * head_dim), quotient
    bitwise = "tokens ^ 2 was written: ^ works on single bits in Python. A power has two stars, tokens ** 2"
    yield right // tokens**2 * (tokens ^ 2), bitwise
    yield right // tokens, f"every token was given one partner. It meets all {tokens}, {MEET}"
    yield right // tokens**2, f"the tokens were forgotten, {MEET}"
    triangle = (
        "the upper triangle was left out. A causal model needs no weights there, but its products are made, "
        f"and torch counts the whole square, {MEET}"
    )
    yield right * (tokens + 1) // (2 * tokens), triangle
    yield right * (tokens - 1) // (2 * tokens), triangle
    served = f"the query heads of one KV head were counted. There are {heads} in all, {MEET}"
    yield right // kv_heads, Cause(served, "the query heads of one KV head were counted")
    both = f"query heads and KV heads were both multiplied. The {heads} query heads make the products, {MEET}"
    yield right * kv_heads, Cause(both, "query heads and KV heads were both multiplied")
    mixed = f"one of the products was given to the {kv_heads} KV heads. Each query head makes both, {MEET}"
    yield right * (heads + kv_heads) // (2 * heads), Cause(mixed, "one product was given to the KV heads")
    if depth > 1:
        one_layer = f"only one of the {depth} decoder layers was counted."
        yield right // depth, Cause(one_layer, "only one decoder layer was counted")
    yield right // heads, Cause(f"one head was counted. There are {heads}, {MEET}", "one head was counted")
    yield right // head_dim, f"a score was counted as one MAC. It is a sum of head_dim products, {MEET}"
    softmax = f"the softmax was counted. It multiplies no matrices, {MEET}"
    yield right + depth * heads * tokens**2, softmax
    with_linear = "the Linear layers were counted too. Only the two products without weights are asked for."
    yield right + linear, with_linear
    attention = hidden * head_dim * (2 * heads + 2 * kv_heads)
    yield right + depth * attention * tokens, with_linear


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a count shows."""
    found, right = answer.value, _right(inputs)
    if not isinstance(found, int | float):
        return
    if type(found) is int and found != right and abs(found - right) <= right * 2**-50:
        yield "It looks as if a float was used: above 2**53 it cannot hold every whole number. Use int alone."
    for value, said in mistakes(inputs):
        if found == value != right:
            yield looks(said)


EXERCISE = Exercise("attention_macs", "8.2", cases, parts, cause)
