"""model_macs: the multiply-accumulates of all Linear layers of a Llama, from its config alone."""

from collections.abc import Iterator
from functools import lru_cache

from torch import nn
from transformers import LlamaConfig

from labsupport import models, widths
from labsupport.check.ask.answer import Answer
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Cause, Named, looks, see
from labsupport.check.judge.kit.compare import Wrong, is_whole
from labsupport.check.judge.kit.exercise import Case, Exercise, Part
from labsupport.check.judge.kit.linear_sums import linear_sums
from labsupport.given import macs

ONCE = see("8.1", "Once for every token")
LAYERS = see("8.2", "Which layers multiply?")
TINYLLAMA = models.SHAPES["tinyllama-1.1b-chat"]


def cases(seed: int) -> list[Case]:
    """Small configs, each with something that is easily forgotten, and TinyLlama's."""
    source = draw.rng(seed, "model_macs")
    plain = draw.until(lambda: _config(source), lambda config: _suits(config, 5))
    other = _config(source)
    tokens = source.choice((3, 7, 11))
    heads = plain["num_attention_heads"]
    wide = {**other, "head_dim": 3 * other["head_dim"]}

    def case(title: str, config: dict, tokens: int = tokens) -> Case:
        return Case(title, {"config": config, "tokens": tokens})

    return [
        case("a small Llama with grouped-query attention", plain, 5),
        case("lm_head shares the embedding's weight", {**other, "tie_word_embeddings": True}),
        case("as many KV heads as query heads", {**plain, "num_key_value_heads": heads}),
        case("heads wider than hidden_size / heads", wide),
        case("biases", {**other, "attention_bias": True, "mlp_bias": True}),
        case("one token", plain, 1),
        case("TinyLlama at 64 tokens", TINYLLAMA, 64),
    ]


def _config(source) -> dict:
    """The numbers of a small Llama with fewer KV heads than query heads, untied."""
    heads, kv_heads = source.choice(((4, 2), (4, 1), (6, 2), (6, 3)))
    return {
        "vocab_size": source.randrange(17, 40),
        "hidden_size": 2 * heads,
        "intermediate_size": source.choice((5, 7, 9, 11, 13)),
        "num_hidden_layers": source.choice((2, 3)),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": 2,
        "tie_word_embeddings": False,
    }


def _suits(config: dict, tokens: int) -> bool:
    """Whether no two mistakes come to the same number, and none to the right one."""
    return draw.apart([(_right(config, tokens), "right"), *mistakes(config, tokens)])


@lru_cache(256)
def _sizes(numbers: tuple) -> dict[str, int]:
    """The weights of a model by kind, all decoder layers together: q_proj, ..., embed_tokens, norm."""
    config = LlamaConfig(**dict(numbers))
    sizes = {}
    for name, module in macs.skeleton(config, widths.of_config(config)).named_modules():
        if isinstance(weight := getattr(module, "weight", None), nn.Parameter):
            kind = name.rsplit(".", 1)[-1] if isinstance(module, nn.Linear | nn.Embedding) else "norm"
            sizes[kind] = sizes.get(kind, 0) + weight.numel()
    return sizes


def _right(config: dict, tokens: int) -> int:
    sizes = _sizes(tuple(config.items()))
    return tokens * sum(size for kind, size in sizes.items() if kind not in ("embed_tokens", "norm"))


def parts(inputs: dict, answer: Answer, given: set[int] | None = None) -> list[Part]:
    """What must hold of the count; given: the counts to expect instead of the right one."""
    config, tokens, found = inputs["config"], inputs["tokens"], answer.value

    def shown(expected: str) -> Wrong:
        return Wrong(**config, tokens=tokens, your_answer=f"{found:,}", expected=expected)

    def shared() -> None:
        if found <= 0 or found % tokens:
            raise shown(f"every token passes the same layers, so {tokens} divides the answer")

    def right() -> None:
        if found != _right(config, tokens):
            raise shown("the sum of linear_macs over all Linear layers that print(model) shows")

    def followed() -> None:
        if given and found not in given:
            raise Wrong(**config, tokens=tokens, your_answer=f"{found:,}")

    whole = Part("a whole number (an int)", lambda: is_whole(found))
    if given is not None:
        return [whole, Part("the sum of your linear_macs over all Linear layers, lm_head included", followed)]
    return [
        whole,
        Part("every token passes every Linear layer", shared),
        Part("the MACs of all Linear layers, lm_head included, and of nothing else", right),
    ]


def mistakes(config: dict, tokens: int) -> Iterator[tuple[int, Named]]:
    """The number that each mistake comes to, and its name."""
    right, size = _right(config, tokens), _sizes(tuple(config.items()))
    head, depth = tokens * size["lm_head"], config["num_hidden_layers"]
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    narrow = {**config, "head_dim": config["hidden_size"] // heads}
    yield 2 * right, f"FLOPs were counted: a MAC is two of them, {ONCE}"
    grouped = (
        "grouped-query attention was ignored: k_proj and v_proj were taken to be as wide as q_proj. They "
        f"have {kv_heads} heads, not {heads}, {LAYERS}\n"
        "Try print(labsupport.models.shape('tinyllama-1.1b-chat')): how wide is k_proj?"
    )
    multi_head = right + tokens * (2 * size["q_proj"] - size["k_proj"] - size["v_proj"])
    yield multi_head, Cause(grouped, "grouped-query attention was ignored")
    why = "It is a Linear layer, the widest of all"
    if config["tie_word_embeddings"]:
        why = "It uses the embedding's weight, and multiplies all the same"
    yield right - head, Cause(f"lm_head was left out. {why}, {LAYERS}", "lm_head was left out")
    looked_up = (
        f"the embedding was counted. A token's row is looked up there; nothing is multiplied, {LAYERS}"
    )
    for counted in (tokens * size["embed_tokens"], size["embed_tokens"]):
        yield right + counted, looked_up
    everything = f"all parameters were counted. Not every one belongs to a Linear layer, {LAYERS}"
    for counted in (size["norm"], size["norm"] + size["embed_tokens"]):
        yield right + tokens * counted, everything
    for kind, word in (("up_proj", "MLP"), ("o_proj", "attention"), ("k_proj", "attention")):
        count = {"MLP": "three", "attention": "four"}[word]
        missing = (
            f"a Linear layer of the {word} is missing: there are {count}, {LAYERS}\n"
            "Try print(labsupport.models.shape('tiny')) and tick them off."
        )
        yield right - tokens * size[kind], missing
    yield right // tokens, f"the tokens were forgotten: each one passes every layer, {ONCE}"
    one_layer = f"only one of the {depth} decoder layers was counted, {LAYERS}"
    yield (right - head) // depth + head, Cause(one_layer, "only one decoder layer was counted")
    yield (right - head) + depth * head, f"lm_head was counted once for each decoder layer, {LAYERS}"
    if narrow != config:
        quotient = (
            f"the width of a head was taken to be hidden_size / heads. The config says head_dim, {LAYERS}"
        )
        yield _right(narrow, tokens), quotient
        square = depth * config["hidden_size"] ** 2
        squares = (
            "q_proj and o_proj were taken to be hidden_size x hidden_size; the config has a head_dim, "
            f"{LAYERS}"
        )
        yield right + 2 * tokens * (square - size["q_proj"]), squares
    if config.get("attention_bias"):
        rows = depth * config["head_dim"] * (heads + 2 * kv_heads) + depth * config["hidden_size"]
        rows += depth * (2 * config["intermediate_size"] + config["hidden_size"])
        yield right + tokens * rows, f"biases were counted, but adding multiplies nothing, {ONCE}"
    products = (
        "attention's own products were counted, queries by keys and weights by values. They belong to the "
        f"cost, but not to the Linear layers; the lab adds them below, {LAYERS}"
    )
    yield right + macs.attention_macs(LlamaConfig(**config), tokens), products


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistake that a count shows."""
    if not isinstance(answer.value, int | float):
        return
    for value, said in mistakes(inputs["config"], inputs["tokens"]):
        if answer.value == value:
            yield looks(said)


EXERCISE = Exercise("model_macs", "8.2", cases, parts, cause, builds_on=("linear_macs",), given=linear_sums)
