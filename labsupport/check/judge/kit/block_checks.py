"""The checks on a pruned model; each raises Wrong. They run in the order of this file."""

from transformers import LlamaConfig

from labsupport import widths
from labsupport.check.ask.answer import NOT_SENT
from labsupport.check.ask.fingerprints import AXIS
from labsupport.check.ask.own.prune_blocks import FIELDS
from labsupport.check.judge.kit.compare import Wrong
from labsupport.check.judge.kit.lines import many
from labsupport.check.judge.kit.remains import Remains
from labsupport.check.judge.kit.slices import MLP_NAMES
from labsupport.check.judge.kit.weight_names import replaced
from labsupport.memory import give_back

SHOWN = 20  # slices, heads or tokens that a message lists


def sized(remains: Remains, digests: dict[str, str]) -> None:
    """Raise Wrong unless the seven matrices of every layer have the planned shapes.

    digests: of every weight of the answer's model without fingerprints, by name.
    """
    head_dim, hidden = widths.head_size(remains.dense.config), remains.dense.config.hidden_size
    for index in remains.layers:
        stays, layer = remains.planned[index], remains.layer(index)
        sizes = dict.fromkeys(("gate", "up", "down"), stays.channels)
        sizes |= dict.fromkeys("qo", stays.heads * head_dim) | dict.fromkeys("kv", stays.kv_heads * head_dim)
        for name, size in sizes.items():
            wanted = [size, hidden] if AXIS[name] == 0 else [hidden, size]
            if name not in layer:
                full = (
                    f"model.layers.{index}.{'mlp' if name in MLP_NAMES else 'self_attn'}.{name}_proj.weight"
                )
                raise Wrong(
                    replaced(full, digests, "") or f"in layer {index} {name}_proj is no Linear any more"
                )
            if layer[name].shape != wanted:
                raise Wrong(
                    f"in layer {index} {name}_proj is {tuple(layer[name].shape)}, not {tuple(wanted)}",
                    ratio=remains.inputs["ratio"], layers=str(remains.layers), what_stays=_words(stays),
                )  # fmt: skip


def identical(remains: Remains) -> None:
    """Raise Wrong unless every slice is bit-identical to one of the dense weight."""
    for index, places in remains.kept.items():
        for name, found in places.items():
            if -1 in found:
                line = ("row", "column")[AXIS[name]]
                raise Wrong(
                    f"{line} {found.index(-1)} of {name}_proj in layer {index} is not in the dense one"
                )


def coupled(remains: Remains) -> None:
    """Raise Wrong unless coupled matrices kept the same channels or the same KV groups."""
    head_dim = widths.head_size(remains.dense.config)
    for index, places in remains.kept.items():
        groups, served = remains.groups(index), remains.before[index].heads // remains.before[index].kv_heads
        own = [group * head_dim + place for group in groups for place in range(head_dim)]
        queries = [g * served * head_dim + place for g in groups for place in range(served * head_dim)]
        for name, other in (("up", "gate"), ("down", "gate"), ("v", "k")):
            if places[name] != places[other]:
                raise Wrong(
                    f"in layer {index} {name} and {other} keep different ones",
                    **{f"{other} keeps": places[other][:SHOWN], f"{name} keeps": places[name][:SHOWN]},
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


def in_order(remains: Remains) -> None:
    """Raise Wrong unless the kept slices are in their original order."""
    for index, places in remains.kept.items():
        for name in ("gate", "k"):
            if places[name] != sorted(places[name]):
                raise Wrong(f"not so in {name}_proj of layer {index}")


def best_kept(remains: Remains) -> None:
    """Raise Wrong unless the kept structures have the highest scores, or are random for "random"."""
    if remains.criterion == "random":
        _drawn(remains)
    else:
        remains.remembered("keeps the most important", lambda: _ranked(remains))
        vars(remains).pop("grads", None)  # they are as large as their weights, and not needed again
        give_back()


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
    """Raise Wrong when the kept channels are the first ones, or the last ones, in every layer."""
    kept = [(places["gate"], remains.before[index].channels) for index, places in remains.kept.items()]
    if all(places == list(range(len(places))) for places, _ in kept):
        raise Wrong("the first channels stayed in every layer")
    if all(places == list(range(count - len(places), count)) for places, count in kept):
        raise Wrong("the last channels stayed in every layer")


def noted(remains: Remains, config: dict) -> None:
    """Raise Wrong unless the config has the planned widths. config: some of FIELDS, of any type."""
    read = read_config(config)
    described = described_widths(read, len(remains.planned))
    for index, (says, has) in enumerate(zip(described, remains.planned, strict=True)):
        if says != has:
            raise Wrong(f"layer {index}", the_config_says=_words(says), the_weights_have=_words(has))
    for name in ("hidden_size", "head_dim", "vocab_size"):
        if getattr(read, name) != getattr(remains.dense.config, name):
            raise Wrong(f"{name} is {getattr(read, name)}")


def read_config(config: dict) -> LlamaConfig:
    """The LlamaConfig of these fields. Raises Wrong for fields that it rejects."""
    if not config.keys() <= set(FIELDS):
        raise Wrong(NOT_SENT)
    if missing := [name for name in FIELDS if name not in config and name != "layer_widths"]:
        raise Wrong(f"{missing[0]} is missing")
    try:
        return LlamaConfig(**config)
    except Exception:
        raise Wrong("it cannot be read as a LlamaConfig") from None


def described_widths(config: LlamaConfig, count: int) -> list[widths.Widths]:
    """The integer widths of each of `count` layers by a config; raises Wrong for others."""
    if config.num_hidden_layers != count:
        raise Wrong(f"it has {many(config.num_hidden_layers, 'layer')}")
    try:
        found = widths.of_config(config)
    except Exception:
        found = []
    if not found or not all(type(size) is int for width in found for size in vars(width).values()):
        raise Wrong("it cannot be read as a LlamaConfig")
    return found


def _words(width: widths.Widths) -> str:
    heads = f"{many(width.kv_heads, 'key-value head')}, {many(width.heads, 'query head')}"
    return f"{heads}, {many(width.channels, 'channel')}"
