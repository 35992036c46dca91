"""How scores of coupled structures are asked and judged: channel_importance and kv_group_importance."""

from collections.abc import Callable

import torch

from labsupport.check import asking, draws
from labsupport.check.compare import has_shape, is_tensor, on_same_device
from labsupport.check.exercise import Case, Exercise, Part, Wrong
from labsupport.check.importance_causes import (
    channel_cause,
    channel_mistakes,
    group_cause,
    group_mistakes,
    telling,
)  # fmt: skip
from labsupport.check.owners import channel_owners, expected_scores, near, owners_of

RULES = {
    "l1": "absolute values of all its weights",
    "l2": "squares of all its weights",
    "taylor": "absolute values of weight times gradient, over all its weights",
}


# Cases


def case(title: str, names: str, weights: list[torch.Tensor], more: dict, criterion: str, grads=None) -> Case:
    """A case that calls the function with these weights; grads and generator where the criterion asks."""
    inputs = dict(zip(names.split(), weights, strict=True)) | more | {"criterion": criterion}
    return Case(title, inputs | ({"grads": tuple(grads)} if grads else {}))


def random_case(names: str, weights: list[torch.Tensor], more: dict, seed: int) -> Case:
    inputs = dict(zip(names.split(), weights, strict=True)) | more
    return Case('"random": drawn from the generator', inputs | {"criterion": "random", "seed": seed})


def channel_cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "channel_importance")

    def drawn(draw, hidden: int, channels: int) -> list[torch.Tensor]:
        return [
            draw(source, *shape) for shape in ((channels, hidden), (channels, hidden), (hidden, channels))
        ]

    wide, large = drawn(draws.distinct, 4, 3), drawn(draws.normal, 24, 40)
    loud = [(weight * 60).half() for weight in drawn(draws.distinct, 2, 4)]  # squares above half precision
    faint, flat = ([(w * 2**-14).half() for w in drawn(draws.distinct, 2, 4)] for _ in range(2))  # below it
    names, slopes = "gate up down", drawn(draws.distinct, 4, 3)

    def small() -> Case:
        return case("l1 in a small square MLP", names, drawn(draws.distinct, 3, 3), {}, "l1")

    return [
        _redrawn(small, channel_right, channel_mistakes),
        case("l1, more inputs than channels", names, wide, {}, "l1"),
        case("l2, more inputs than channels", names, wide, {}, "l2"),
        case("taylor, with gradients", names, wide, {}, "taylor", slopes),
        case("l2 of half precision, its squares above 65504", names, loud, {}, "l2"),
        case("taylor of half precision, its products tiny", names, faint, {}, "taylor", flat),
        case("a larger MLP", names, large, {}, source.choice(("l1", "l2"))),
        random_case(names, large, {}, source.randrange(10**6)),
    ]


def group_cases(seed: int) -> list[Case]:
    source = draws.rng(seed, "kv_group_importance")

    def drawn(draw, hidden: int, kv_heads: int, served: int, head_dim: int) -> tuple[list, dict]:
        rows, queries = kv_heads * head_dim, kv_heads * served * head_dim
        shapes = ((queries, hidden), (rows, hidden), (rows, hidden), (hidden, queries))
        return [draw(source, *shape) for shape in shapes], {"head_dim": head_dim, "kv_heads": kv_heads}

    names = "q k v o"
    course = drawn(draws.normal, 20, 3, 3, 4)
    slopes = drawn(draws.normal, 20, 3, 3, 4)[0]
    loud, sizes = drawn(draws.distinct, 3, 2, 2, 2)
    halves = [(weight * 60).half() for weight in loud]
    own, alone = drawn(draws.normal, 12, 4, 1, 3), drawn(draws.normal, 12, 1, 4, 3)

    def small() -> Case:
        title = "l1, two key-value heads that serve two query heads each"
        return case(title, names, *drawn(draws.distinct, 2, 2, 2, 2), "l1")

    return [
        _redrawn(small, group_right, group_mistakes),
        case("l2, three that serve three each", names, *course, "l2"),
        case("taylor, with gradients", names, *course, "taylor", slopes),
        case("as many key-value heads as query heads", names, *own, source.choice(("l1", "l2"))),
        case("one key-value head that serves them all", names, *alone, source.choice(("l1", "l2"))),
        case("l2 of half precision, its squares above 65504", names, halves, sizes, "l2"),
        random_case(names, *course, source.randrange(10**6)),
    ]  # fmt: skip


def _redrawn(draw: Callable[[], Case], right: Callable, mistakes: Callable) -> Case:
    """A case in which no two mistakes look alike."""
    while not telling(mistakes((made := draw()).inputs), right(made.inputs)):
        pass
    return made


def channel_right(inputs: dict) -> torch.Tensor | None:
    """The judge's scores of channels; None for "random"."""
    channels, hidden = inputs["gate"].shape
    return expected_scores("gate up down", channel_owners(hidden, channels), channels, inputs)


def group_right(inputs: dict) -> torch.Tensor | None:
    """The judge's scores of key-value groups; None for "random"."""
    return expected_scores("q k v o", owners_of(inputs), inputs["kv_heads"], inputs)


# Asking


def ask(function: Callable, inputs: dict) -> dict:
    """Call the function; for "random" three times: twice in one state of the generator, once in another."""
    if "seed" not in inputs:
        return asking.call(function, inputs)
    plain = {name: value for name, value in inputs.items() if name != "seed"}
    arguments = [asking.on_device(value) for value in plain.values()]

    def draw(seed: int):
        return function(*arguments, None, torch.Generator().manual_seed(seed))

    return asking.attempt(lambda: [draw(inputs["seed"]), draw(inputs["seed"]), draw(inputs["seed"] + 1)])


# Judging


def parts(names: str, count: int, right: torch.Tensor | None, inputs: dict, answer: dict) -> list[Part]:
    """What must hold of scores. names: the matrices; right: the expected scores, None for "random"."""
    score, what = answer["value"], "channels" if "gate" in inputs else "kv_heads"
    if right is None:
        return [Part(f"one finite number for each of the {what}, as the generator has it",
                     lambda: _random(score, count))]  # fmt: skip

    def typed() -> None:
        is_tensor(score)
        if not score.is_floating_point():
            raise Wrong(f"it is {score.dtype}")

    def shown() -> dict:
        small = all(inputs[name].numel() <= 40 for name in names.split())
        show = {name: inputs[name] for name in names.split()} if small else {}
        if small and "grads" in inputs:
            show |= {f"grad of {name}": g for name, g in zip(names.split(), inputs["grads"], strict=True)}
        return {**show, "your_scores": score}

    def finite() -> None:
        if not bool(score.isfinite().all()):
            raise Wrong("half precision ends at 65504: sum in float32", **shown())

    def positive() -> None:
        if bool((score < 0).any()):
            raise Wrong(**shown())

    def summed() -> None:
        if not near(score, right):
            raise Wrong(**shown())

    where = {"channels": "row of gate, row of up, column of down",
             "kv_heads": "rows of q, k and v, columns of o"}[what]  # fmt: skip
    return [
        Part("the scores are a tensor of floating-point numbers", typed),
        Part(f"shape ({what},) = ({count},)", lambda: has_shape(score, (count,))),
        Part("on the device of the weights", lambda: on_same_device(answer)),
        Part("no score overflows", finite),
        Part("no score is negative", positive),
        Part(f"each is the sum of the {RULES[inputs['criterion']]} ({where})", summed),
    ]


def _random(draws_of_it, count: int) -> None:
    for score in draws_of_it:
        is_tensor(score)
        has_shape(score, (count,))
        if not score.is_floating_point() or not bool(score.isfinite().all()):
            raise Wrong(f"it is {score.dtype}" if not score.is_floating_point() else "some are not finite")
    once, again, other = draws_of_it
    if len(once.unique()) < 2:
        raise Wrong("all are equal", your_scores=once)
    if not torch.equal(once, again):
        raise Wrong("two generators in the same state gave different scores: draw from `generator`")
    if torch.equal(once, other):
        raise Wrong("generators in different states gave the same scores: draw from `generator`")


def channel_parts(inputs: dict, answer: dict) -> list[Part]:
    return parts("gate up down", len(inputs["gate"]), channel_right(inputs), inputs, answer)


def group_parts(inputs: dict, answer: dict) -> list[Part]:
    return parts("q k v o", inputs["kv_heads"], group_right(inputs), inputs, answer)


CHANNELS = Exercise("channel_importance", "5.2", channel_cases, channel_parts, channel_cause, ask)
GROUPS = Exercise("kv_group_importance", "5.3", group_cases, group_parts, group_cause, ask)
