"""5.1 count_parameters: the number of weights of a Llama, from its config alone."""

from collections.abc import Iterator

import torch
from transformers import LlamaForCausalLM

from labsupport import models
from labsupport.check.ask.answer import Answer
from labsupport.check.ask.own.count_parameters import built
from labsupport.check.judge.kit import draw
from labsupport.check.judge.kit.causes import Named, see
from labsupport.check.judge.kit.compare import Wrong, is_number
from labsupport.check.judge.kit.exercise import Case, Exercise, Part

MATRICES = see("5.1", "Seven matrices and two norms")


def cases(seed: int) -> list[Case]:
    """Small configs, each with one thing that a formula can miss, then a model that people use."""
    source = draw.rng(seed, "count_parameters")

    def case(title: str, tied: bool, kv_heads: int, served: int, head_dim: int | None = None) -> Case:
        heads = kv_heads * served
        hidden = heads * (head_dim or source.choice((2, 4)))
        shape = {
            "vocab_size": source.choice((31, 37, 41, 43, 47)),  # a prime: no other part is that large
            "hidden_size": hidden if head_dim is None else hidden + source.choice((-3, 3)) * heads,
            "intermediate_size": hidden + source.randint(1, 9),
            "num_hidden_layers": source.randint(2, 5),
            "num_attention_heads": heads,
            "num_key_value_heads": kv_heads,
            "tie_word_embeddings": tied,
        }
        return Case(title, {"config": shape if head_dim is None else {**shape, "head_dim": head_dim}})

    either = source.random() < 0.5
    return [
        case("a small model, its head untied", False, 2, 3),
        case("tied embeddings: one matrix serves as embedding and as head", True, 2, 2),
        case("head_dim is not hidden_size / num_attention_heads", either, 2, 2, 8),
        case("one key-value head for all query heads", not either, 1, source.choice((3, 4))),
        case("as many key-value heads as query heads", either, 4, 1),
        Case("TinyLlama-1.1B's shape", {"config": models.SHAPES["tinyllama-1.1b-chat"]}),
    ]


def sizes(shape: dict) -> dict[str, list[int]]:
    """Counts by the last part of a weight's name, one for each weight; the model takes no memory."""
    with torch.device("meta"):
        skeleton = LlamaForCausalLM(built(shape))
    found: dict[str, list[int]] = {}
    for name, weight in skeleton.named_parameters():  # a shared weight comes once
        found.setdefault(name.split(".")[-2], []).append(weight.numel())
    return found


def parts(inputs: dict, answer: Answer) -> list[Part]:
    """What must hold of the count."""
    shape, count = inputs["config"], answer.value

    def whole() -> None:
        is_number(count)
        if not isinstance(count, int):
            raise Wrong(f"it is {count}, a float: // divides whole numbers, / does not")

    def counted() -> None:
        if over := count - sum(map(sum, sizes(shape).values())):
            raise Wrong(
                config=", ".join(f"{name} {value}" for name, value in shape.items()),
                your_count=f"{count:,}, too {'high' if over > 0 else 'low'} by {abs(over):,}",
            )

    return [
        Part("the count is a Python int", whole),
        Part("every weight of the model is counted, and counted once", counted),
    ]


def cause(inputs: dict, answer: Answer) -> Iterator[Named]:
    """The mistakes that make the count too high, or too low, by just as much."""
    if not isinstance(answer.value, int | float):
        return
    shape = inputs["config"]
    each = {name: sum(counts) for name, counts in sizes(shape).items()}
    over = answer.value - sum(each.values())
    yield from _attention(shape, each, over)
    yield from _embeddings(shape, each, over)
    yield from _layers(shape, each, over)
    if "head_dim" in shape:
        narrower = shape["hidden_size"] // shape["num_attention_heads"] - shape["head_dim"]
        attention = sum(each[f"{name}_proj"] for name in "qkvo")
        if over == attention // shape["head_dim"] * narrower:
            yield (
                "It looks as if the width of a head was taken as hidden_size / num_attention_heads. That is "
                f"the rule in most models, but not in all: config.head_dim is that width, {MATRICES}"
            )
    with torch.device("meta"):
        biased = LlamaForCausalLM(built({**shape, "attention_bias": True, "mlp_bias": True}))
    if over == sum(weight.numel() for name, weight in biased.named_parameters() if name.endswith("bias")):
        yield f"It looks as if biases were counted. The linear layers of a Llama have none, {MATRICES}"


def _attention(shape: dict, each: dict[str, int], over: float) -> Iterator[Named]:
    """Mistakes of the four matrices' widths. each: counts by name; over: what was counted too much."""
    layers, hidden = shape["num_hidden_layers"], shape["hidden_size"]
    wide = each["q_proj"] - each["k_proj"]
    square = layers * hidden**2 - each["q_proj"]
    if square and over == 2 * square:
        yield (
            "It looks as if q_proj and o_proj were counted as hidden_size x hidden_size. A head has "
            f"head_dim rows, and config.head_dim need not be hidden_size / heads, {MATRICES}"
        )
    if square and over == square:
        yield (
            "It looks as if one of q_proj and o_proj was counted as hidden_size x hidden_size. Both have "
            f"num_attention_heads * head_dim on one side, {MATRICES}"
        )
    served = shape["num_attention_heads"] // shape["num_key_value_heads"]
    turned = each["k_proj"] // shape["num_key_value_heads"] * served - each["k_proj"]
    if turned and over == 2 * turned:
        yield (
            "It looks as if k_proj and v_proj were given num_attention_heads // num_key_value_heads heads. "
            f"So many query heads share one of them; there are num_key_value_heads, {MATRICES}"
        )
    if over == 2 * layers * hidden * shape["num_key_value_heads"] - 2 * each["k_proj"]:
        yield f"It looks as if k_proj and v_proj were given one row a head. A head has head_dim, {MATRICES}"
    if wide and over == 2 * wide:
        yield (
            "It looks as if k_proj and v_proj were counted as wide as q_proj. With grouped-query attention "
            f"they have num_key_value_heads heads, {MATRICES}\n"
            "Try models.describe(models.shape('tiny')) and look at k_proj."
        )
    if wide and over == wide:
        yield f"It looks as if one of k_proj and v_proj was counted as wide as q_proj, {MATRICES}"


def _embeddings(shape: dict, each: dict[str, int], over: float) -> Iterator[Named]:
    """The embedding counted twice, or the head not at all."""
    if shape["tie_word_embeddings"] and over == each["embed_tokens"]:
        yield (
            "It looks as if tied embeddings were counted twice: the head is the same tensor as the "
            f"embedding, so it adds nothing, {MATRICES}\nTry config.tie_word_embeddings."
        )
    if over == -each["embed_tokens"] - each.get("lm_head", 0):
        yield f"It looks as if the embedding was forgotten: it is vocab_size x hidden_size, {MATRICES}"
    if "lm_head" in each and over == -each["lm_head"]:
        yield (
            "It looks as if the output head was forgotten. Here it is not tied to the embedding, so it is a "
            f"matrix of its own, {MATRICES}\nTry config.tie_word_embeddings."
        )


def _layers(shape: dict, each: dict[str, int], over: float) -> Iterator[Named]:
    """Norms, matrices or whole layers that were left out."""
    layer_norms = each["input_layernorm"] + each["post_attention_layernorm"]
    in_layers = sum(count for name, count in each.items() if name not in ("embed_tokens", "lm_head", "norm"))
    per_layer = in_layers // shape["num_hidden_layers"]
    if over == -each["norm"]:
        yield f"It looks as if the final norm was forgotten: one comes after the last layer, {MATRICES}"
    if over == -layer_norms - each["norm"]:
        yield f"It looks as if the norms were forgotten: each holds hidden_size weights, {MATRICES}"
    if over == -layer_norms:
        yield f"It looks as if the two norms of each layer were forgotten, {MATRICES}"
    if over == -each["input_layernorm"]:
        yield f"It looks as if each layer was given one norm. It has two, {MATRICES}"
    if over == -each["up_proj"]:
        yield (
            "It looks as if the MLP was given two matrices. A Llama's MLP has three of one size: gate_proj, "
            f"up_proj and down_proj, {MATRICES}"
        )
    if over == -each["q_proj"]:
        yield f"It looks as if q_proj or o_proj was forgotten, {MATRICES}"
    if over == -per_layer * (shape["num_hidden_layers"] - 1):
        yield "It looks as if one layer was counted, and not num_hidden_layers of them."


EXERCISE = Exercise("count_parameters", "5.1", cases, parts, cause)
