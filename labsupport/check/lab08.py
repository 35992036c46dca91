"""The exercises of lab 08, cost: multiply-accumulates and bytes, counted exactly."""

from collections.abc import Callable, Iterator
from functools import lru_cache

import torch
from torch import nn
from transformers import LlamaConfig

from labsupport import cost, models, planning, widths
from labsupport.check import draws
from labsupport.check.asking import attempt, call
from labsupport.check.exercise import Case, Exercise, Part, Wrong
from labsupport.check.lab04 import first
from labsupport.check.wire import Opaque

ONCE = 'see section 8.1, "Once for every token".'
LAYERS = 'see section 8.2, "Which layers multiply?".'
FORMATS = 'see section 8.3, "Four formats".'
KEPT = 'see section 8.3, "How many stay?".'


def whole(value, what: str = "it") -> None:
    """Raises Wrong unless the value is an int: what is counted is whole, to the last digit."""
    if type(value) is int:
        return
    if isinstance(value, torch.Tensor):
        raise Wrong(f"{what} is a tensor; .item() makes it a Python number")
    if isinstance(value, float):
        raise Wrong(f"{what} is a float, {value:.6g}; // divides whole numbers and keeps them whole")
    kind = value.type_name if isinstance(value, Opaque) else type(value).__name__
    raise Wrong(f"{what} is {'None: is a return missing?' if value is None else 'of type ' + kind}")


# 8.1 linear_macs


def linear_cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "linear_macs")

    def sizes(*values: int) -> dict:
        return dict(zip(("out_features", "in_features", "tokens"), values, strict=True))

    small = source.sample((3, 5, 7, 11), 3)
    vast = [source.randrange(10**5, 2 * 10**5) | 1 for _ in range(2)]
    return [
        Case("a small layer", sizes(*small)),
        Case("one token", sizes(source.randrange(20, 40), source.randrange(50, 90), 1)),
        Case("up_proj of TinyLlama at 64 tokens", sizes(5632, 2048, 64)),
        Case("more MACs than a float can count", sizes(*vast, 10**6 + 1)),
    ]


def linear_parts(inputs: dict, answer: dict) -> list[Part]:
    rows, columns, tokens = inputs.values()
    found = answer["value"]

    def shown(expected: str) -> Wrong:
        return Wrong(**inputs, your_answer=f"{found:,}", expected=expected)

    def shared() -> None:
        if found <= 0 or found % tokens:
            raise shown(f"every token costs the same, so {tokens} divides the answer")

    def right() -> None:
        if found != _of_linear(inputs):
            raise shown(f"each weight of the [{rows}, {columns}] matrix multiplies once for each token")

    return [
        Part("a whole number (an int)", lambda: whole(found)),
        Part(f"{tokens} tokens cost {tokens} times as much as one", shared),
        Part("each weight multiplies once for each token", right),
    ]


def _of_linear(inputs: dict) -> int:
    layer = nn.Linear(inputs["in_features"], inputs["out_features"], bias=False, device="meta")
    return planning.linear_macs(layer, inputs["tokens"])


@first
def linear_cause(inputs: dict, answer: dict) -> Iterator[str]:
    rows, columns, tokens = inputs.values()
    found, right = answer["value"], _of_linear(inputs)
    experiment = "Try a layer of one output and one input, and one token: one multiplication."
    if found == 2 * right or found == 2 * right - rows * tokens:
        yield (
            "It looks as if FLOPs were counted: a multiplication and its addition are two FLOPs, and one "
            f"MAC, {ONCE}\n{experiment}"
        )
    if found * tokens == right:
        yield f"It looks as if the tokens were forgotten: each one passes the whole layer, {ONCE}"
    if found == right * tokens:
        yield (
            "It looks as if the tokens were counted twice. In a Linear layer tokens do not meet one another, "
            f"{ONCE}"
        )
    if found == right + rows * tokens:
        yield f"It looks as if a bias was counted, but adding multiplies nothing, {ONCE}\n{experiment}"
    if found == (rows + columns) * tokens:
        yield (
            "It looks as if the numbers that go in and out were counted. Every output needs every input, "
            f"{ONCE}"
        )
    if type(found) is int and found != right and abs(found - right) <= right * 2**-50:
        yield "It looks as if a float stood in between: above 2**53 it skips whole numbers. Stay with int."


# 8.2 model_macs

TINYLLAMA = models.SHAPES["tinyllama-1.1b-chat"]


def model_cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "model_macs")
    plain = drawn_config(source)
    while not _tells_apart(plain, 5):
        plain = drawn_config(source)
    other = drawn_config(source)
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


def drawn_config(source) -> dict:
    """The numbers of a small Llama with fewer KV heads than query heads, untied."""
    heads, kv_heads = source.choice(((4, 2), (4, 1), (6, 2), (6, 3)))
    return {
        "vocab_size": source.randrange(17, 40), "hidden_size": 2 * heads,
        "intermediate_size": source.choice((5, 7, 9, 11, 13)), "num_hidden_layers": source.choice((2, 3)),
        "num_attention_heads": heads, "num_key_value_heads": kv_heads, "head_dim": 2,
        "tie_word_embeddings": False,
    }  # fmt: skip


def ask_config(function: Callable, inputs: dict) -> dict:
    """The config travels as numbers; here it becomes a LlamaConfig."""
    return attempt(lambda: function(LlamaConfig(**inputs["config"]), inputs["tokens"]))


@lru_cache(256)
def _sizes(numbers: tuple) -> dict[str, int]:
    """The weights of a model by kind, all decoder layers together: q_proj, ..., embed_tokens, norm."""
    config = LlamaConfig(**dict(numbers))
    sizes = {}
    for name, module in planning.skeleton(config, widths.of_config(config)).named_modules():
        if isinstance(weight := getattr(module, "weight", None), nn.Parameter):
            kind = name.rsplit(".", 1)[-1] if isinstance(module, nn.Linear | nn.Embedding) else "norm"
            sizes[kind] = sizes.get(kind, 0) + weight.numel()
    return sizes


def _of_config(config: dict, tokens: int) -> int:
    sizes = _sizes(tuple(config.items()))
    return tokens * sum(size for kind, size in sizes.items() if kind not in ("embed_tokens", "norm"))


def model_parts(inputs: dict, answer: dict) -> list[Part]:
    config, tokens, found = inputs["config"], inputs["tokens"], answer["value"]

    def shown(expected: str) -> Wrong:
        return Wrong(**config, tokens=tokens, your_answer=f"{found:,}", expected=expected)

    def shared() -> None:
        if found <= 0 or found % tokens:
            raise shown(f"every token passes the same layers, so {tokens} divides the answer")

    def right() -> None:
        if found != _of_config(config, tokens):
            raise shown("the sum of linear_macs over all Linear layers that print(model) shows")

    return [
        Part("a whole number (an int)", lambda: whole(found)),
        Part("every token passes every Linear layer", shared),
        Part("the MACs of all Linear layers, lm_head included, and of nothing else", right),
    ]


def _model_mistakes(config: dict, tokens: int) -> Iterator[tuple[int, str]]:
    """What typical mistakes come to, and what to say of each."""
    right, size = _of_config(config, tokens), _sizes(tuple(config.items()))
    head, depth = tokens * size["lm_head"], config["num_hidden_layers"]
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    narrow = {**config, "head_dim": config["hidden_size"] // heads}
    yield 2 * right, f"FLOPs were counted: a MAC is two of them, {ONCE}"
    yield (
        right + tokens * (2 * size["q_proj"] - size["k_proj"] - size["v_proj"]),
        "grouped-query attention was ignored: k_proj and v_proj were taken to be as wide as q_proj. They "
        f"have {kv_heads} heads, not {heads}, {LAYERS}\n"
        "Try print(labsupport.models.shape('tinyllama-1.1b-chat')): how wide is k_proj?",
    )
    why = "It is a Linear layer, the widest of all"
    if config["tie_word_embeddings"]:
        why = "It uses the embedding's weight, and multiplies all the same"
    yield right - head, f"lm_head was left out. {why}, {LAYERS}"
    looks = "A token's row is looked up there; nothing is multiplied"
    for counted in (tokens * size["embed_tokens"], size["embed_tokens"]):
        yield right + counted, f"the embedding was counted. {looks}, {LAYERS}"
    for counted in (size["norm"], size["norm"] + size["embed_tokens"]):
        yield (
            right + tokens * counted,
            (f"all parameters were counted. Not every one belongs to a Linear layer, {LAYERS}"),
        )
    for kind, word in (("up_proj", "MLP"), ("o_proj", "attention"), ("k_proj", "attention")):
        count = {"MLP": "three", "attention": "four"}[word]
        yield (
            right - tokens * size[kind],
            (
                f"a Linear layer of the {word} is missing: there are {count}, {LAYERS}\n"
                "Try print(labsupport.models.shape('tiny')) and tick them off."
            ),
        )
    yield right // tokens, f"the tokens were forgotten: each one passes every layer, {ONCE}"
    yield (right - head) // depth + head, f"only one of the {depth} decoder layers was counted, {LAYERS}"
    yield (right - head) + depth * head, f"lm_head was counted once for each decoder layer, {LAYERS}"
    if narrow != config:
        yield (
            _of_config(narrow, tokens),
            (f"the width of a head was taken to be hidden_size / heads. The config says head_dim, {LAYERS}"),
        )
        square = depth * config["hidden_size"] ** 2
        yield (
            right + 2 * tokens * (square - size["q_proj"]),
            "q_proj and o_proj were taken to be hidden_size x hidden_size; the config has a head_dim, "
            f"{LAYERS}",
        )
    if config.get("attention_bias"):
        rows = depth * config["head_dim"] * (heads + 2 * kv_heads) + depth * config["hidden_size"]
        rows += depth * (2 * config["intermediate_size"] + config["hidden_size"])
        yield right + tokens * rows, f"biases were counted, but adding multiplies nothing, {ONCE}"
    yield (
        right + cost.attention_macs(LlamaConfig(**config), tokens),
        "attention's own products were counted, queries by keys and weights by values. They belong to the "
        f"cost, but not to the Linear layers; the lab adds them below, {LAYERS}",
    )


def _tells_apart(config: dict, tokens: int) -> bool:
    """Whether no two named mistakes come to the same number, and none to the right one."""
    named: dict[int, str] = {_of_config(config, tokens): "right"}
    return all(
        named.setdefault(value, sentence) == sentence for value, sentence in _model_mistakes(config, tokens)
    )


@first
def model_cause(inputs: dict, answer: dict) -> Iterator[str]:
    for value, sentence in _model_mistakes(inputs["config"], inputs["tokens"]):
        if answer["value"] == value:
            yield f"It looks as if {sentence}"


# 8.3 storage_bytes

DTYPES = {1: torch.int8, 2: torch.float16, 4: torch.float32, 8: torch.float64}


def storage_cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "storage_bytes")

    def asked(shape: tuple, sparsity: float, formats, dtype_bytes: int) -> dict:
        some = {"format": formats} if isinstance(formats, str) else {"formats": list(formats)}
        return {"shape": shape, "sparsity": sparsity, **some, "dtype_bytes": dtype_bytes}

    loose = ("dense", "bitmask", "csr")
    small = source.choice(((7, 4), (9, 4), (11, 4), (3, 12), (5, 12)))
    truncating = draws.truncating_sparsity(source, 110)
    odd = source.choice([s / 100 for s in range(10, 90) if 0.1 < s / 100 * 77 % 1 < 0.4])
    half = asked((8, 8), 0.5, "2:4", 4)
    return [
        Case("a small matrix at 50 %, 2 bytes a value", asked(small, 0.5, (*loose, "2:4"), 2)),
        Case(f"10 x 11 at {truncating:.0%}, 4 bytes a value", asked((10, 11), truncating, loose[1:], 4)),
        Case(f"7 x 11 at {odd:.0%}, 8 bytes a value", asked((7, 11), odd, loose, 8)),
        Case("nothing dropped", asked((6, 10), 0.0, loose, 4)),
        Case("everything dropped", asked((6, 10), 1.0, loose, 2)),
        Case("2:4 with 1 byte a value", asked((source.randrange(3, 9), 20), 0.5, ("2:4", "bitmask"), 1)),
        Case("a larger matrix at 70 %", asked((96, 256), 0.7, loose, 4)),
        Case("a format that nobody knows raises ValueError", {**half, "format": "zip"}, "ValueError"),
        Case("a sparsity of 1.2 raises ValueError", asked((4, 6), 1.2, "dense", 4), "ValueError"),
        Case("a negative sparsity raises ValueError", asked((4, 6), -0.1, "csr", 4), "ValueError"),
        Case("2:4 at 40 % raises ValueError", {**half, "sparsity": 0.4}, "ValueError"),
        Case("2:4 with 6 inputs raises ValueError", {**half, "shape": (4, 6)}, "ValueError"),
    ]  # fmt: skip


def ask_formats(function: Callable, inputs: dict) -> dict:
    """One case may ask for several formats of the same matrix: then the value is a dict, by format."""
    if "formats" not in inputs:
        return call(function, inputs)
    shape, sparsity, formats, dtype_bytes = inputs.values()
    return attempt(lambda: {form: function(shape, sparsity, form, dtype_bytes) for form in formats})


def packed_bytes(shape: tuple, kept: int, form: str, dtype_bytes: int) -> int:
    """The bytes that a real matrix with so many kept weights takes when it is packed."""
    weight = torch.zeros(shape, dtype=DTYPES[dtype_bytes])
    if form == "2:4":
        weight.view(-1, 4)[:, :2] = 1
    else:
        weight.view(-1)[:kept] = 1
    return cost.bytes_of(cost.packed(weight, form))


STORED = {
    "dense": "every weight, zeros too",
    "bitmask": "the values kept, and one bit for every weight, kept or not",
    "csr": "the values kept, an int32 column for each, and rows + 1 int32 pointers",
    "2:4": "the values kept, and 2 bits for the place of each",
}


def storage_parts(inputs: dict, answer: dict) -> list[Part]:
    shape, sparsity, formats, dtype_bytes = inputs.values()
    found, count = answer["value"], shape[0] * shape[1]
    kept = count - round(sparsity * count)

    def typed() -> None:
        for form in formats:
            whole(found.get(form) if isinstance(found, dict) else found, f"that of {form}")

    def right(form: str) -> None:
        if found[form] != packed_bytes(shape, kept, form, dtype_bytes):
            raise Wrong(
                shape=f"{shape[0]} x {shape[1]} = {count:,} weights, {dtype_bytes} bytes a value",
                sparsity=sparsity,
                weights_kept=f"{kept:,}",
                format=form,
                your_answer=f"{found[form]:,} bytes",
                stored=STORED[form],
            )

    return [
        Part("whole numbers of bytes (int)", typed),
        *(Part(f"{form}: {STORED[form]}", lambda form=form: right(form)) for form in formats),
    ]


@first
def storage_cause(inputs: dict, answer: dict) -> Iterator[str]:
    shape, sparsity, formats, dtype_bytes = inputs.values()
    count = shape[0] * shape[1]
    kept = count - round(sparsity * count)
    for form in formats:
        found, right = answer["value"][form], packed_bytes(shape, kept, form, dtype_bytes)
        if found == right:
            continue
        for other in {count - int(sparsity * count), int((1 - sparsity) * count)} - {kept}:
            if form != "dense" and found == packed_bytes(shape, other, form, dtype_bytes):
                yield f"It looks as if int() cut {sparsity} of {count} weights down; round() it, {KEPT}"
        values = kept * dtype_bytes
        yield from _extra(form, found - values, shape, kept, dtype_bytes)
        if found == 8 * right:
            yield f"It looks as if the answer is in bits; eight of them are a byte, {FORMATS}"
        if form == "dense" and found == values:
            yield f"It looks as if the zeros were left out. Dense storage writes them down too, {FORMATS}"
        if form != "dense" and found - values == right - values + (count - kept) * dtype_bytes:
            yield f"It looks as if the zeros were stored as well; only kept values are, {FORMATS}"
        if form not in ("dense", "2:4") and found == packed_bytes(shape, count - kept, form, dtype_bytes):
            yield f"It looks as if the sparsity was taken for the share that stays, not that goes, {KEPT}"
        return  # the numbers shown are those of the first format that is wrong


def _extra(form: str, extra: int, shape: tuple, kept: int, dtype_bytes: int) -> Iterator[str]:
    """The mistake that the bytes besides the values show."""
    rows, columns = shape
    count = rows * columns
    if form in ("bitmask", "2:4"):
        if extra == 0:
            what = "mask" if form == "bitmask" else "places of the kept values"
            yield f"It looks as if the {what} went missing; without, nobody can unpack the values, {FORMATS}"
        if extra == count // 8:
            yield f"It looks as if the bits were rounded down; part of a byte takes a whole one, {FORMATS}"
    if form == "bitmask":
        if extra == count:
            yield f"It looks as if bits were added to bytes: eight flags fit into one byte, {FORMATS}"
        if extra == -(-kept // 8):
            yield f"It looks as if only kept weights have a bit; the mask has one for every weight, {FORMATS}"
        if extra == rows * -(-columns // 8):
            yield f"It looks as if every row was rounded up to bytes; the mask is rounded once, {FORMATS}"
    if form == "2:4":
        if extra == -(-kept * 4 // 8):
            yield (
                "It looks as if 4 bits were spent on each place, or 2 on every weight, dropped ones too. "
                f"A place is one of four, and only kept values have one, {FORMATS}"
            )
        if extra == 2 * kept:
            yield f"It looks as if bits were added to bytes: four places fit into one byte, {FORMATS}"
    if form == "csr":
        if extra == 4 * kept:
            yield (
                "It looks as if the row pointers were forgotten: columns alone do not say where a row ends, "
                f"{FORMATS}"
            )
        if extra == 4 * kept + 4 * rows:
            yield f"It looks as if one row pointer is missing: {rows} rows need {rows + 1}, {FORMATS}"
        if extra == 4 * kept + 4 * (columns + 1):
            yield f"It looks as if columns were compressed: the pointers of CSR belong to rows, {FORMATS}"
        if extra == 8 * kept + 8 * (rows + 1):
            yield (
                f"It looks as if indices took 8 bytes, as torch's int64 do. Here they are int32, {FORMATS}"
            )
        if extra == 8 * kept:
            yield (
                "It looks as if each value has a row and a column (that is COO); CSR has one pointer a row, "
                f"{FORMATS}"
            )
        if extra == dtype_bytes * (kept + rows + 1):
            yield f"It looks as if indices were given the bytes of a value; they are int32, {FORMATS}"
        if extra == 4 * kept + rows + 1:
            yield f"It looks as if each row pointer was given one byte; it is an int32, {FORMATS}"


EXERCISES = [
    Exercise("linear_macs", "8.1", linear_cases, linear_parts, linear_cause),
    Exercise("model_macs", "8.2", model_cases, model_parts, model_cause, ask_config),
    Exercise("storage_bytes", "8.3", storage_cases, storage_parts, storage_cause, ask_formats),
]
