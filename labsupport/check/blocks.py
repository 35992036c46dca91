"""How prune_blocks is asked and judged; what it leaves of a model is looked at in remains.py."""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import LlamaConfig

from labsupport import models, widths
from labsupport.check import draws, recipes
from labsupport.check.asking import attempt
from labsupport.check.block_causes import cause
from labsupport.check.compare import is_close, is_number
from labsupport.check.exercise import Case, Exercise, Part, Wrong
from labsupport.check.remains import Remains, batches_of, fingerprints, layers_of, others, windows_of
from labsupport.check.slicing import AXIS
from labsupport.check.wire import Opaque
from labsupport.perplexity import perplexity

PROMPT = [5, 9, 70, 33]
FIELDS = (
    "hidden_size", "head_dim", "num_hidden_layers", "vocab_size", "num_attention_heads",
    "num_key_value_heads", "intermediate_size", "layer_widths",
)  # fmt: skip


def cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "prune_blocks")
    tiny = source.randrange(10**6)
    while not _telling(tiny):
        tiny = source.randrange(10**6)
    texts = {"random": tiny + 2, "count": 4, "length": 32}

    def case(title: str, ratio: float, layers: list[int], criterion: str, **more) -> Case:
        asked = {"model": {"tiny": tiny}, "ratio": ratio, "layers": layers, "criterion": criterion}
        return Case(title, asked | more | {"evaluation": {"random": tiny + 1, "count": 2, "length": 64}})

    ratio = source.choice((0.55, 0.6, 0.7))  # not one half: what goes and what stays must differ
    course = {
        "model": recipes.course_model(), "ratio": 0.3, "layers": "middle", "criterion": "taylor",
        "batches": recipes.course_windows("calibration"), "evaluation": recipes.course_windows("evaluation"),
        "windows": {"batches": 1, "evaluation": 2},
    }  # fmt: skip
    return [
        case(f"a tiny model, {ratio:.0%} by l1", ratio, [0, 2], "l1"),
        case("20 % by l2: too little for a key-value head", 0.2, [0, 2], "l2"),
        case("the first layer alone, by l2", ratio, [0, 1], "l2"),
        case("the last layer alone, by l1", ratio, [1, 2], "l1"),
        case("by taylor, with several batches", 0.5, [0, 2], "taylor", batches=texts),
        case("by random", 0.5, [0, 2], "random"),
        case("a ratio of 1: a channel and a head stay, no layer ends empty", 1.0, [1, 2], "l2"),
        Case(f"the course model, {course['model']['course']}, 30 % by taylor", course, costly=True),
    ]


def _telling(tiny: int) -> bool:
    """Whether query heads in another order would keep another key-value head somewhere, by l1."""
    dense = Remains({"model": {"tiny": tiny}, "criterion": "l1"}, {})
    best = [
        [dense.scores(i, "attention", "l1", None, turns).argmax() for i in range(2)] for turns in ("", "qo")
    ]
    return best[0] != best[1]


# Asking


def ask(function: Callable, inputs: dict) -> dict:
    """Prune a fresh model; answer with what is left of it, before and after saving and reloading."""
    model = recipes.model(inputs["model"])
    layers = layers_of(inputs, model)
    arguments = [model, inputs["ratio"], layers, inputs["criterion"]]
    if "batches" in inputs:
        arguments.append(batches_of(inputs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a ratio removes no head is said, and is no fault
        answer = attempt(lambda: function(*arguments))
        if not answer["error"]:
            evaluation = windows_of(inputs, "evaluation")
            answer["left"] = attempt(lambda: _left(model, layers))
            answer["generated"] = attempt(lambda: generated(model))
            answer["measured"] = attempt(lambda: perplexity(model, evaluation))
            answer["reloaded"] = attempt(lambda: _reloaded(model, evaluation))
    return answer


def _left(model, layers: range) -> dict:
    config = model.config.to_dict()
    return {
        "prints": fingerprints(model, layers),
        "digests": others(model, layers),
        "config": {name: config[name] for name in FIELDS if name in config},
    }


def _reloaded(model, evaluation: torch.Tensor) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        files = sorted(path.name for path in Path(folder).iterdir())
        return {"files": files, "perplexity": perplexity(models.load(folder), evaluation)}


def generated(model) -> list[int]:
    """Eight tokens after a fixed prompt, the likeliest one each time."""
    prompt = torch.tensor([PROMPT], device=model.device)
    tokens = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=8, do_sample=False)
    return tokens[0].tolist()


# Judging


def parts(inputs: dict, answer: dict) -> list[Part]:
    """What must hold of a model that was pruned."""
    left = _readable(answer)
    remains = Remains(inputs, left.get("prints", {}))

    def in_place() -> None:
        value = answer["value"]
        if value is not None:
            kind = value.type_name if isinstance(value, Opaque) else type(value).__name__
            raise Wrong(f"your function returned a {kind}")
        _succeeded(answer.get("left"))
        if not left:
            raise Wrong("the answer is not of the form that a check cell sends")

    def untouched() -> None:
        for name, value in others(remains.dense, remains.layers).items():
            if left["digests"].get(name) != value:
                raise Wrong(f"{name} changed", layers=str(remains.layers))

    def least_gone() -> None:
        if remains.criterion == "random":
            _drawn(remains)
        else:
            remains.remembered("keeps the most important", lambda: _ranked(remains))

    def expected() -> float:
        evaluation = windows_of(inputs, "evaluation")
        return remains.remembered("perplexity of slices", lambda: perplexity(remains.model, evaluation))

    def generates() -> None:
        value = _succeeded(answer.get("generated"))
        if value != (right := generated(remains.model)):
            raise Wrong(your_model_writes=value, these_slices_write=right)

    def same_perplexity(value) -> None:
        is_number(value)
        if not is_close(value, expected()):
            raise Wrong(f"it is {value:.6g}, and these slices have {expected():.6g}")

    def survives() -> None:
        value = _succeeded(answer.get("reloaded"))
        if not isinstance(value, dict) or value.keys() != {"files", "perplexity"}:
            raise Wrong("the answer is not of the form that a check cell sends")
        if foreign := [name for name in value["files"] if not name.endswith((".json", ".safetensors"))]:
            raise Wrong(f"{foreign[0]} was saved")
        same_perplexity(value["perplexity"])

    highest = f"what is left has the highest scores by {remains.criterion}, those of the dense model"
    drawn = "what is left was drawn at random"
    return [
        Part("changes the model in place and returns None", in_place),
        Part("the seven matrices of every layer in the range have the sizes that the ratio asks for",
             lambda: _sized(remains)),
        Part("other layers, embeddings and norms are untouched", untouched),
        Part("what is left of them is the dense model's, bit for bit", lambda: _identical(remains)),
        Part("what is coupled was removed together", lambda: _coupled(remains)),
        Part("what is left stands in its old order", lambda: _in_order(remains)),
        Part(drawn if remains.criterion == "random" else highest, least_gone),
        Part("the config says how wide each layer is", lambda: _noted(remains, left["config"])),
        Part("the model generates", generates),
        Part("its perplexity is the one of these slices",
             lambda: same_perplexity(_succeeded(answer.get("measured")))),
        Part("saved without pickle and loaded again it has the same perplexity", survives),
    ]  # fmt: skip


def _readable(answer: dict) -> dict:
    """What the asking side says is left, {} when that is not of its form: anything may be sent."""
    try:
        left = answer["left"]["value"]
        entries = [entry for layer in left["prints"].values() for entry in layer.values()]
        fitting = all(
            len(entry["shape"]) == 2 and entry["prints"].dtype is torch.int64 and entry["prints"].dim() == 1
            for entry in entries
        )
        return (
            left if fitting and isinstance(left["digests"], dict) and isinstance(left["config"], dict) else {}
        )
    except (KeyError, TypeError, AttributeError):
        return {}


def _succeeded(attempted: dict):
    """The value of something that the asking side attempted."""
    if not isinstance(attempted, dict) or "value" not in attempted:
        raise Wrong("the answer is not of the form that a check cell sends")
    if error := attempted.get("error"):
        raise Wrong(f"{error['names'][0]}: {error['text']}")
    return attempted["value"]


def _sized(remains: Remains) -> None:
    head_dim, hidden = remains.dense.config.head_dim, remains.dense.config.hidden_size
    for index in remains.layers:
        stays = remains.planned[index]
        sizes = dict.fromkeys(("gate", "up", "down"), stays.channels)
        sizes |= dict.fromkeys("qo", stays.heads * head_dim) | dict.fromkeys("kv", stays.kv_heads * head_dim)
        for name, size in sizes.items():
            wanted = [size, hidden] if AXIS[name] == 0 else [hidden, size]
            if name not in remains.prints.get(str(index), {}):
                raise Wrong(f"in layer {index} {name}_proj is no Linear any more")
            yours = remains.prints[str(index)][name]["shape"]
            if yours != wanted:
                raise Wrong(
                    f"in layer {index} {name}_proj is {tuple(yours)}, not {tuple(wanted)}",
                    ratio=remains.inputs["ratio"], layers=str(remains.layers), what_stays=_words(stays),
                )  # fmt: skip


def _identical(remains: Remains) -> None:
    for index, places in remains.kept.items():
        for name, found in places.items():
            if -1 in found:
                line = ("row", "column")[AXIS[name]]
                raise Wrong(f"{line} {found.index(-1)} of {name}_proj in layer {index} is none of its")


def _coupled(remains: Remains) -> None:
    head_dim = remains.dense.config.head_dim
    for index, places in remains.kept.items():
        groups, served = remains.groups(index), remains.before[index].heads // remains.before[index].kv_heads
        own = [group * head_dim + place for group in groups for place in range(head_dim)]
        queries = [g * served * head_dim + place for g in groups for place in range(served * head_dim)]
        for name, other, wanted in (
            ("up", "gate", places["gate"]), ("down", "gate", places["gate"]), ("v", "k", places["k"]),
        ):  # fmt: skip
            if places[name] != wanted:
                raise Wrong(
                    f"in layer {index} {name} and {other} keep different ones",
                    **{f"{other} keeps": wanted[:20], f"{name} keeps": places[name][:20]},
                )
        if places["k"] != own:
            raise Wrong(f"in layer {index} k_proj holds parts of heads", its_rows=places["k"])
        for name in "qo":
            if places[name] != queries:
                line = ("rows", "columns")[AXIS[name]]
                raise Wrong(
                    f"in layer {index} {name}_proj keeps other heads than k_proj",
                    **{"kept key-value heads": groups, f"{line} of {name}": places[name]},
                )


def _in_order(remains: Remains) -> None:
    for index, places in remains.kept.items():
        for name in ("gate", "k"):
            if places[name] != sorted(places[name]):
                raise Wrong(f"not so in {name}_proj of layer {index}")


def _ranked(remains: Remains) -> float:
    for index in remains.layers:
        for block, what in (("mlp", "channel"), ("attention", "key-value head")):
            how = (index, block, remains.criterion, remains.grads.get(index))
            if not remains.ranked(*how):
                lowest, highest = remains.ends(*how)
                raise Wrong(
                    f"in layer {index} a {what} of score {lowest:.5g} stayed, and one of {highest:.5g} went"
                )
    return 1.0


def _drawn(remains: Remains) -> None:
    """Raises Wrong when the kept channels are the first ones, or the last ones, everywhere."""
    kept = [(places["gate"], remains.before[index].channels) for index, places in remains.kept.items()]
    if all(places == list(range(len(places))) for places, _ in kept):
        raise Wrong("the first channels stayed in every layer")
    if all(places == list(range(count - len(places), count)) for places, count in kept):
        raise Wrong("the last channels stayed in every layer")


def _noted(remains: Remains, config: dict) -> None:
    try:
        described = widths.of_config(LlamaConfig(**config))
    except Exception:
        raise Wrong("it cannot be read as a LlamaConfig") from None
    if len(described) != len(remains.planned):
        raise Wrong(f"it has {len(described)} layers")
    for index, (says, has) in enumerate(zip(described, remains.planned, strict=True)):
        if says != has:
            raise Wrong(f"layer {index}", the_config_says=_words(says), the_weights_have=_words(has))
    for name in ("hidden_size", "head_dim", "vocab_size"):
        if config[name] != getattr(remains.dense.config, name):
            raise Wrong(f"{name} is {config[name]}")


def _words(width: widths.Widths) -> str:
    return f"{width.kv_heads} key-value heads, {width.heads} query heads, {width.channels} channels"


BLOCKS = Exercise("prune_blocks", "5.6", cases, parts, cause, ask)
