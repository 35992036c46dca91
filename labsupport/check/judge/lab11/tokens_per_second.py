"""Judges tokens_per_second, exercise 11.7: the ceiling of decoding, from bytes and bandwidth alone."""

from collections.abc import Iterator
from functools import cache

from torch import nn
from transformers import LlamaConfig

from labsupport import models, widths
from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import configs, draw
from labsupport.check.judge.kit.causes import Cause, Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, is_close, is_number
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.given import macs

ONCE = see("11.7", "Read once for every token")
TINYLLAMA = models.SHAPES["tinyllama-1.1b-chat"]


def cases(seed: int) -> list[Case]:
    """Small configs, first without any text, so that only the weights count; then with one."""
    source = draw.rng(seed, "tokens_per_second")
    bare = draw.until(lambda: _inputs(source, 0), _suits)
    plain = draw.until(lambda: _inputs(source, source.choice((300, 500, 700))), _suits)
    config, heads = plain["config"], plain["config"]["num_attention_heads"]
    return [
        Case("a small Llama, the cache still empty", bare),
        Case(f"with {plain['context']} tokens in the cache", plain),
        Case("one KV head", {**plain, "config": {**config, "num_key_value_heads": 1}}),
        Case(
            "as many KV heads as query heads", {**plain, "config": {**config, "num_key_value_heads": heads}}
        ),
        Case(
            "head and embedding are one tensor", {**plain, "config": {**config, "tie_word_embeddings": True}}
        ),
        Case(
            "TinyLlama with 4.5 bits a weight, 50 GB a second, 2,048 tokens",
            {"config": TINYLLAMA, "bits_per_weight": 4.5, "bandwidth": 50e9, "context": 2048},
        ),
    ]


def _inputs(source, context: int) -> dict:
    config = configs.grouped(source, ((9, 3), (15, 3), (15, 5)), (3, 5, 7))
    bits = source.choice((3.5, 4.25, 5.0))
    return {
        "config": config,
        "bits_per_weight": bits,
        "bandwidth": source.choice((2e9, 3e9)),
        "context": context,
    }


def _suits(inputs: dict) -> bool:
    """Whether no two mistakes come to the same number, and none to the right one."""
    return draw.apart([(_right(inputs), "right"), *mistakes(inputs)], lambda a, b: is_close(a, b, 1e-3))


def _sizes(config: dict) -> tuple[int, int]:
    """The weights of all Linear layers, lm_head included, and the numbers that k_proj and v_proj put out."""
    return _counted(tuple(config.items()))


@cache  # every mistake asks again
def _counted(fields: tuple) -> tuple[int, int]:
    found = LlamaConfig(**dict(fields))
    modules = macs.skeleton(found, widths.of_config(found)).named_modules()
    linears = {name: module for name, module in modules if isinstance(module, nn.Linear)}
    kept = [linear.out_features for name, linear in linears.items() if name.endswith(("k_proj", "v_proj"))]
    return sum(linear.in_features * linear.out_features for linear in linears.values()), sum(kept)


def _right(inputs: dict) -> float:
    config, bits, bandwidth, context = inputs.values()
    weights, kept = _sizes(config)
    return bandwidth / (weights * bits / 8 + 2 * kept * context)


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the tokens a second."""
    config, bits, bandwidth, context = inputs.values()
    found = answer.value
    weights, _ = _sizes(config)

    def shown(expected: str) -> Wrong:
        said = {"bits_per_weight": bits, "bandwidth": bandwidth, "context": context}
        return Wrong(**config, **said, your_answer=f"{found:,.5g} a second", expected=expected)

    def below() -> None:
        if not 0 < found <= bandwidth / (weights * bits / 8) * 1.0001:
            raise shown(f"{weights:,} weights are read for each token, so it cannot be more")

    def right() -> None:
        if not is_close(found, _right(inputs), 1e-5):
            raise shown("bandwidth over the bytes of all Linear weights and of the KV cache")

    return [
        Part("a Python number", lambda: is_number(found)),
        Part("not faster than its weights can be read", below),
        Part("all Linear weights and the KV cache are read once for each token", right),
    ]


def mistakes(inputs: dict) -> Iterator[tuple[float, Named]]:
    """The number that each mistake comes to, and its name."""
    config, bits, bandwidth, context = inputs.values()
    weights, kept = _sizes(config)
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    hidden, head_dim = config["hidden_size"], config["head_dim"]
    table = config["vocab_size"] * hidden
    read, cache = weights * bits / 8, 2 * kept * context  # bytes

    def with_cache(size: float) -> float:
        return bandwidth / (read + size)

    brackets = f"brackets are missing around what is read: a / b * c is (a / b) * c, {ONCE}"
    yield bandwidth / weights * bits / 8, brackets
    if context:
        yield bandwidth / read + cache, brackets
        yield with_cache(0), f"the KV cache was left out. It is read for every token, too, {ONCE}"
        grouped = f"the cache was counted for all {heads} query heads. It has {kv_heads} KV heads, {ONCE}"
        yield with_cache(cache * heads / kv_heads), Cause(grouped, "grouped-query attention was ignored")
        yield (
            with_cache(cache / 2),
            f"keys alone were counted, or one byte a number. A number has two, {ONCE}",
        )
        yield with_cache(cache * 2), f"numbers of 4 bytes were counted in the cache. They have two, {ONCE}"
        yield with_cache(cache / 8), f"the bytes of the cache were taken for bits, {ONCE}"
        yield with_cache(cache * bits / 16), f"the cache was given bits_per_weight. It holds float16, {ONCE}"
        yield with_cache(cache / context), f"one token was counted in the cache. There are {context}, {ONCE}"
        quotient = (
            f"the width of a head was taken to be hidden_size / heads. The config says head_dim, {ONCE}"
        )
        yield with_cache(cache * hidden / (heads * head_dim)), quotient
        layers = config["num_hidden_layers"]
        yield with_cache(cache / layers), f"the cache of one layer was counted. There are {layers}, {ONCE}"
        return
    yield bandwidth / (weights * bits), f"bits were taken for bytes: a byte has eight, {ONCE}"
    yield (
        bandwidth / (weights * 2),
        f"two bytes a weight were counted. bits_per_weight says how many bits, {ONCE}",
    )
    yield (read + cache) / bandwidth, f"these are seconds for a token. Tokens for a second are asked, {ONCE}"
    yield read + cache, f"these are bytes. How often does the bandwidth hold them in a second, {ONCE}"
    no_head = f"lm_head was left out. It multiplies for every token, tied or not, {ONCE}"
    yield bandwidth / ((weights - table) * bits / 8), no_head
    both = f"the embedding was read whole. One row of it is looked up, {ONCE}"
    yield bandwidth / ((weights + table) * bits / 8), both
    norms = (2 * config["num_hidden_layers"] + 1) * hidden
    yield (
        bandwidth / ((weights + norms) * bits / 8),
        "the norms were counted. Only Linear layers are asked for.",
    )
    yield (
        bandwidth / ((weights + table + norms) * bits / 8),
        "all parameters were counted. Only Linear layers are.",
    )


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a number of tokens shows."""
    found = answer.value
    if not isinstance(found, int | float) or is_close(found, _right(inputs), 1e-5):
        return
    for value, said in mistakes(inputs):
        if is_close(found, value, 1e-5):
            yield looks(said)
    if found == int(found) and abs(found - _right(inputs)) < 1:
        yield looks(f"the number was rounded, or // cut it. Return it as it is, {ONCE}")


EXERCISE = Exercise("tokens_per_second", "11.7", cases, parts, cause)
