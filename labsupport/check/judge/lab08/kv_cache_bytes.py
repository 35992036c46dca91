"""kv_cache_bytes: the memory of the keys and values that a model keeps of a text."""

import json
from collections.abc import Iterator
from functools import lru_cache

from torch import nn
from transformers import LlamaConfig

from labsupport import models, widths
from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import configs, draw
from labsupport.check.judge.kit.causes import Cause, Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, is_whole
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.given import macs

KEPT = see("8.4", "What a model keeps of a text")
TINYLLAMA = models.SHAPES["tinyllama-1.1b-chat"]


def cases(seed: int) -> list[Case]:
    """Small configs, first with one byte a number, so that only the count can be wrong; then others."""
    source = draw.rng(seed, "kv_cache_bytes")
    plain = draw.until(lambda: _inputs(source), _suits)
    other = _inputs(source)
    heads = other["config"]["num_attention_heads"]
    return [
        Case("a small Llama, 1 byte a number", plain),
        Case("2 bytes a number", {**plain, "dtype_bytes": 2}),
        Case("4 bytes a number", {**plain, "dtype_bytes": 4}),
        Case(
            "as many KV heads as query heads",
            {**other, "config": {**other["config"], "num_key_value_heads": heads}},
        ),
        Case("one KV head", {**other, "config": {**other["config"], "num_key_value_heads": 1}}),
        Case("one token", {**other, "tokens": 1}),
        Case("TinyLlama at 2,048 tokens", {"config": TINYLLAMA, "tokens": 2048, "dtype_bytes": 2}),
    ]


def _inputs(source) -> dict:
    config = configs.grouped(source, ((12, 4), (15, 3), (15, 5)), (3, 5, 7))
    return {"config": config, "tokens": source.choice((11, 13, 17)), "dtype_bytes": 1}


def _suits(inputs: dict) -> bool:
    """Whether no two mistakes come to the same number, and none to the right one."""
    return draw.apart([(_right(inputs), "right"), *mistakes(inputs)])


def _right(inputs: dict) -> int:
    """The bytes of what k_proj and v_proj put out for every token."""
    return _kept(json.dumps(inputs["config"])) * inputs["tokens"] * inputs["dtype_bytes"]


@lru_cache(64)
def _kept(shape: str) -> int:
    """How many numbers k_proj and v_proj of a config put out for one token; the config is JSON."""
    config = LlamaConfig(**json.loads(shape))
    modules = macs.skeleton(config, widths.of_config(config)).named_modules()
    kept = [m for name, m in modules if isinstance(m, nn.Linear) and name.endswith(("k_proj", "v_proj"))]
    return sum(linear.out_features for linear in kept)


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the bytes."""
    config, tokens, size = inputs.values()
    found = answer.value

    def shown(expected: str) -> Wrong:
        return Wrong(
            **config, tokens=tokens, dtype_bytes=size, your_answer=f"{found:,} bytes", expected=expected
        )

    def shared() -> None:
        if found <= 0 or found % (tokens * size):
            raise shown(f"every token adds the same, so {tokens} x {size} divides the answer")

    def right() -> None:
        if found != _right(inputs):
            raise shown("what k_proj and v_proj of every layer put out, for every token")

    return [
        Part("a whole number of bytes (an int)", lambda: is_whole(found)),
        Part("every token adds the same number of bytes", shared),
        Part("the keys and values of every layer, and nothing else", right),
    ]


def mistakes(inputs: dict) -> Iterator[tuple[int, Named]]:
    """The number that each mistake comes to, and its name."""
    config, tokens, size = inputs.values()
    right, depth = _right(inputs), config["num_hidden_layers"]
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    head_dim, hidden = config["head_dim"], config["hidden_size"]
    for wrong in {1, 2, 4} - {size}:
        taken = "elements were counted, not bytes" if wrong == 1 else f"{wrong} bytes a number were taken"
        said = f"{taken}. Each number takes dtype_bytes = {size}."
        yield right // size * wrong, Cause(said, "dtype_bytes was not used")
    if size > 1:
        return  # every other mistake shows in the first case, where a number takes one byte
    yield right // 2, f"keys alone, or values alone, were counted. Both are kept, {KEPT}"
    grouped = (
        "grouped-query attention was ignored: keys and values were counted for every query head. "
        f"There are {kv_heads} of them, not {heads}, {KEPT}"
    )
    yield right * heads // kv_heads, Cause(grouped, "grouped-query attention was ignored")
    yield right * hidden // (kv_heads * head_dim), f"hidden_size was taken for the width of the keys, {KEPT}"
    queries = f"the queries were counted too. A query is used once, by its own token, {KEPT}"
    yield right * (heads + 2 * kv_heads) // (2 * kv_heads), queries
    quotient = f"the width of a head was taken to be hidden_size / heads. The config says head_dim, {KEPT}"
    yield right * hidden // (heads * head_dim), quotient
    one_layer = f"only one of the {depth} decoder layers was counted. Each keeps keys of its own, {KEPT}"
    yield right // depth, Cause(one_layer, "only one decoder layer was counted")
    yield right // tokens, f"the tokens were forgotten: each one is kept, {KEPT}"
    yield right * tokens, f"the tokens were counted twice. A cache holds no products of tokens, {KEPT}"
    yield right // kv_heads, f"one KV head was counted, {KEPT}"
    served = f"the query heads of one KV head were counted. There are {kv_heads} KV heads, {KEPT}"
    yield right * heads // kv_heads**2, Cause(served, "the query heads of one KV head were counted")
    yield right * 3 // 2, f"three tensors were counted. A query is used once, by its own token, {KEPT}"
    yield right // head_dim, f"a head was counted as one number. It has head_dim of them, {KEPT}"
    yield 8 * right, "the answer is in bits; eight of them are a byte."


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a number of bytes shows."""
    if not isinstance(answer.value, int | float):
        return
    for value, said in mistakes(inputs):
        if answer.value == value != _right(inputs):
            yield looks(said)


EXERCISE = Exercise("kv_cache_bytes", "8.4", cases, parts, cause)
